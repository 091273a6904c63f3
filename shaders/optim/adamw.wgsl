// adamw: optim/adam.wgsl with DECOUPLED, a kernel of its own so that recordings tell the two apart
// checked by test/optim/optimizers.test.ts
#include "optim/adam.wgsl"
