// How the site's search ranks pages: the guide first (before all, a page whose title holds the
// whole question), then the reference, then accounts of experiments and the changelog.
var Scorer = {
  score: ([docname, title, anchor, description, score, filename, kind]) => {
    if (/^(guide|science)\/|^(start|backbones|extend|predict|unequal_classes|reference\/(metrics|run_directory))$/.test(docname)) return score + (kind === "title" && !anchor ? 40 : 20);
    if (/^changelog|\/studies\//.test(docname)) return score - 20;
    return score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
