// rows: for a launch in which `chunks` threads share each row of a matrix. Thread `first` of a row
// takes its vectors first, first + chunks, …, so that neighboring threads read neighboring vectors,
// and what a thread needs to know of its row is read once for many of them. A vector is four
// elements, or one where the rows' length is not a multiple of four (VECTOR).
// The file that includes this one declares Params with n = rows · chunks, chunks, and vectors, the
// vectors of a row; rowsOf in src/ops/rows.ts fills them in.
#include "lib/linear.wgsl"
#include "lib/divide.wgsl"

#if VECTOR == 4
  alias Values = vec4f;

  fn total(values: Values) -> f32 {
    return (values.x + values.y) + (values.z + values.w);
  }

  fn first_of(values: Values) -> f32 {
    return values.x;
  }
#else
  alias Values = f32;

  fn total(value: Values) -> f32 {
    return value;
  }

  fn first_of(value: Values) -> f32 {
    return value;
  }
#end if
