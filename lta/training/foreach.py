"""Operations on a list of tensors, on a GPU with a few kernels for all of them.

It is what torch's own optimisers compute with by default there (`foreach`). torch has no public name for it.
"""

import torch

_of_torch = vars(torch)

add = _of_torch["_foreach_add"]
add_ = _of_torch["_foreach_add_"]
copy_ = _of_torch["_foreach_copy_"]
lerp_ = _of_torch["_foreach_lerp_"]
mul_ = _of_torch["_foreach_mul_"]
norm = _of_torch["_foreach_norm"]
