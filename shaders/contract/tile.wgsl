// contract: y[row, col] = Σ_a Σ_b Σ_c A[row, (a, b, c)] · B[base(col) + a·stride_a + b·stride_b +
// c·stride_c]  (+ bias), or max(that, 0) Every matrix product and every convolution pass is this
// sum; src/ops/contract.ts says which strides make it which, and contract/params.wgsl what the
// operands are.
// launch: one subgroup a workgroup; x counts tiles of COLS·LANES columns, y (wrapping into z)
// counts (split, plane, panel); where there are more than 65,535 tiles, they wrap into y, and z
// counts (split, plane, panel); a split takes `chunk` steps of a One gather of the A operand serves
// all lanes: each holds a vec4 of it, and a broadcast from a constant lane hands a value to every
// lane. Nothing synchronizes, so a CPU adapter runs this as straight-line vector code. UNROLL steps
// of c are taken for one accumulator at a time: there are more accumulators than registers, so each
// is loaded and stored once for all of them. checked by test/ops/contract.test.ts,
// test/ops/contractTiles.test.ts, test/ops/conv2d.test.ts, test/ops/linear.test.ts
enable subgroups;

#include "contract/params.wgsl"

@compute @workgroup_size(#{LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let wide = params.cols > #{65535 * COLS * LANES}u;
  let tile = select(0u, group.y * 65535u, wide) + group.x;
  let part = select(group.z * 65535u + group.y, group.z, wide);
  let panel = part % params.panels;
  let plane = (part / params.panels) % params.planes;
  let split = part / (params.panels * params.planes);
  if (tile * #{COLS * LANES}u >= params.cols || split >= params.splits) {
    return;
  }
  let first_col = (tile * #{LANES}u + lane) * #{COLS}u;
  #repeat q in 0..COLS / FOURS_COLS
    // a lane past the end computes the last group again and does not store it
    let here#{q} = min(first_col + #{q * FOURS_COLS}u, params.cols - #{FOURS_COLS}u) / #{FOURS_COLS}u;
    let inner#{q} = here#{q} / params.col2;
    let i2_#{q} = here#{q} % params.col2;
    let i1_#{q} = inner#{q} % params.col1;
    let i0_#{q} = inner#{q} / params.col1;
    let base#{q} = params.b_base + plane * params.b_plane + i0_#{q} * params.b0 + i1_#{q} * params.b1 + i2_#{q} * params.b2;
  #end repeat q
  #repeat r in 0..ROWS
    #repeat v in 0..COLS
      var sum#{r}_#{v} = 0.0;
    #end repeat v
  #end repeat r
  // Read once: a uniform costs as much as a dozen multiply-adds in every turn of a loop.
  let depth_b = params.depth_b;
  let groups_c = params.groups_c;
  let stride_a = params.stride_a;
  let stride_b = params.stride_b;
  let stride_c = params.stride_c;
  let first = split * params.chunk;
  let last = min(first + params.chunk, params.depth_a);
  let depth = depth_b * groups_c * #{FOURS_DEPTH}u; // of one step of a
  let a_step = params.a_step;
  var at = params.a_base + (plane * params.panels + panel) * params.a_panel + first * depth * a_step;
  // A lane's vector of a turn's steps, LOADS of them a load.
  #repeat g in 0..(UNROLL * ROWS / 4 + LOADS - 1) / LOADS
    let vector#{g} = #{g * LOADS}u + lane % #{LOADS}u;
    let my#{g} = vector#{g} / #{ROWS / 4}u * a_step + vector#{g} % #{ROWS / 4}u;
  #end repeat g
  for (var ia = first; ia < last; ia++) {
    for (var ib = 0u; ib < depth_b; ib++) {
      var offset = ia * stride_a + ib * stride_b;
      for (var ic = 0u; ic < groups_c; ic += #{UNROLL / FOURS_DEPTH}u) {
        #repeat g in 0..(UNROLL * ROWS / 4 + LOADS - 1) / LOADS
          let a#{g} = a[at + my#{g}];
        #end repeat g
        #repeat u in 0..UNROLL / FOURS_DEPTH
          #repeat v in 0..COLS / FOURS_COLS
            let b#{u}_#{v} = b[base#{v} + offset + #{u}u * stride_c];
          #end repeat v
        #end repeat u
        #repeat r in 0..ROWS
          #repeat u in 0..UNROLL
            let w#{r}_#{u} = subgroupBroadcast(a#{(u * ROWS + r) / 4 / LOADS}[#{r % 4}], #{(u * ROWS + r) / 4 % LOADS}u);
          #end repeat u
          #if VECTOR == 0
            #repeat v in 0..COLS
              #repeat u in 0..UNROLL
                sum#{r}_#{v} += w#{r}_#{u} * b#{u}_#{v};
              #end repeat u
            #end repeat v
          #end if
          #if VECTOR == 1
            #repeat v in 0..COLS
              #repeat u in 0..UNROLL
                sum#{r}_#{v} += w#{r}_#{u} * b#{u}_#{v / 4}[#{v % 4}];
              #end repeat u
            #end repeat v
          #end if
          #if VECTOR == 2
            #repeat v in 0..COLS
              #repeat u in 0..UNROLL
                sum#{r}_#{v} += w#{r}_#{u} * b#{u / 4}_#{v}[#{u % 4}];
              #end repeat u
            #end repeat v
          #end if
        #end repeat r
        at += #{UNROLL}u * a_step;
        offset += #{UNROLL / FOURS_DEPTH}u * stride_c;
      }
    }
  }
  // The registers go out through a local array and a loop: unrolled, the stores alone would take a
  // driver seconds to compile.
  var sums: array<f32, #{ROWS * COLS}>;
  #repeat v in 0..COLS
    #repeat r in 0..ROWS
      sums[#{r * COLS + v}] = sum#{r}_#{v};
    #end repeat r
  #end repeat v
  // not min(ROWS, …): a known bound invites the unrolling
  let rows = min(params.panel_rows, params.rows - panel * #{ROWS}u);
  let y_row = params.y_row;
  let y_part = params.y_base + split * params.y_split + plane * params.y_plane + panel * #{ROWS}u * y_row;
  let by_row = params.bias_row != 0u;
  let by_col = params.bias_col != 0u;
  let relu = params.relu != 0u;
  let first_bias = params.bias_base + plane * params.rows + panel * #{ROWS}u;
  #if VECTOR_Y
    #repeat q in 0..COLS / 4
      #if FOURS_COLS == 4
        var to#{q} = y_part + i0_#{q} * params.y0 + i1_#{q} * params.y1 + i2_#{q} * params.y2;
      #else
        var to#{q} = y_part + first_col / 4u + #{q}u;
      #end if
      let at#{q} = params.bias_base + first_col + #{4 * q}u;
      let bias#{q} = select(vec4f(), vec4f(bias[at#{q}], bias[at#{q} + 1u], bias[at#{q} + 2u], bias[at#{q} + 3u]), by_col);
    #end repeat q
  #else
    #repeat v in 0..COLS
      let stored#{v} = first_col + #{v}u < params.cols && i0_#{v / FOURS_COLS} * #{FOURS_COLS}u + #{v % FOURS_COLS}u < params.live;
      var to#{v} = y_part + i0_#{v / FOURS_COLS} * params.y0 + i1_#{v / FOURS_COLS} * params.y1 + i2_#{v / FOURS_COLS} * params.y2
        + #{v % FOURS_COLS}u * params.y_inner;
      let bias#{v} = select(0.0, bias[params.bias_base + first_col + #{v}u], by_col);
    #end repeat v
  #end if
  for (var r = 0u; r < rows; r++) {
    let bias_here = select(0.0, bias[first_bias + r], by_row);
    #if VECTOR_Y
      #repeat q in 0..COLS / 4
        if (first_col + #{4 * q}u < params.cols) {
          let i = r * #{COLS}u + #{4 * q}u;
          let value = vec4f(sums[i], sums[i + 1u], sums[i + 2u], sums[i + 3u]) + (bias_here + bias#{q});
          // NaN stays, as in relu/forward.wgsl
          y[to#{q}] = select(value, vec4f(), vec4<bool>(relu) & (value < vec4f()));
        }
        to#{q} += y_row;
      #end repeat q
    #else
      #repeat v in 0..COLS
        if (stored#{v}) {
          let value = sums[r * #{COLS}u + #{v}u] + (bias_here + bias#{v});
          y[to#{v}] = select(value, 0.0, relu & (value < 0.0));
        }
        to#{v} += y_row;
      #end repeat v
    #end if
  }
}
