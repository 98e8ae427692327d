"""An evaluator of one's own: how much of the attention lies in the middle of the picture?"""

from lta.evaluators.evaluator import Evaluator, Result, check_attention
from lta.evaluators.passes import run_forward_passes


class Centre(Evaluator):
    """Attention on the middle half of height and width, by level; uniform attention would give 0.25."""

    name = "centre"

    def check(self, classifier, data):
        check_attention(self.name, classifier)

    def run(self, classifier, data):
        def measure_batch(images, index):
            maps = classifier(images).attn
            return {level: self.sum_middle(maps[level]) for level in maps}

        shares = run_forward_passes(classifier, data.test, measure_batch, data.eval_batch_size, "centre")
        means = {level: float(share.mean()) for level, share in shares.items()}
        rows = [{"level": level, "middle": mean, "uniform": 0.25} for level, mean in means.items()]
        lines = [f"{level:16}{mean:.3f} of the attention in the middle (uniform: 0.250)" for level, mean in means.items()]
        return Result({"middle": means}, rows, lines)

    def sum_middle(self, maps):
        height, width = maps.shape[1:]
        return maps[:, height // 4 : height - height // 4, width // 4 : width - width // 4].sum((1, 2))
