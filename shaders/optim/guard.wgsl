// held_back: whether the guard forbids the step: guard[0] ≠ 0
// The bits are tested, since a compiler may assume that floats are finite.
#if GUARD
  @group(0) @binding(7) var<storage, read> guard: array<u32>;
#end if

fn held_back() -> bool {
  #if GUARD
    return (guard[0] & 0x7fffffffu) != 0u;
  #else
    return false;
  #end if
}
