// Included in main of contract/block.wgsl: loads what this thread copies of half a block of
// steps. Steps past the last one are zeros. ALIGNED there are none, except in the half after the
// last block, which is loaded and not used.
  #repeat load in 0..A_LOADS
    #if ALIGNED
      next_a#{load} = a[a_start + (a_block + #{next_half}u * a_half + #{load}u * a_apart)];
    #else
      next_a#{load} = vec4f();
      if (block_k + #{next_half * HALF_DEPTH + load * A_APART}u + a_step < end_k) {
        next_a#{load} = a[a_start + (a_block + #{next_half}u * a_half + #{load}u * a_apart)];
      }
    #end if
  #end repeat load
  #repeat load in 0..B_LOADS
    {
      #if ALIGNED
        let offset = b_block + #{next_half}u * b_half + #{load}u * b_apart;
      #else
        let k = block_k + #{next_half * HALF_DEPTH}u
          + (b_step + #{load * B_APART}u) * #{STEPS_PER_LOAD}u;
        next_b#{load} = vec4f();
        if (k < end_k) {
          let offset = step_offset(k);
      #end if
      #if INTERLEAVED == NONE
        next_b#{load} = vec4f(
          b[b_start0 + offset], b[b_start1 + offset], b[b_start2 + offset], b[b_start3 + offset]);
      #else
        next_b#{load} = b[b_start + offset];
      #end if
      #if !ALIGNED
        }
      #end if
    }
  #end repeat load
