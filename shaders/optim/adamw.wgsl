// adamw: optim/adam.wgsl with DECOUPLED. A kernel of its own, so that recordings tell them apart.
// checked by test/optim/optimizers.test.ts
#include "optim/adam.wgsl"
