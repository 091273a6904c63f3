// contract/tile: a contraction in registers, for CPU adapters
//   y[row, col] = Σ_k A[row, k] · B[k, col] + bias, or max(that, 0)
// k stands for the three indices k0, k1, k2. Every matrix product and all three passes of a
// convolution are this sum. docs/kernels.md explains the kernel line by line.
//   a: vec4f, in panels of ROWS rows   b, y: f32 or vec4f   bias: f32   (see contract/params.wgsl)
// launch: a workgroup is one subgroup of LANES threads and computes a tile of ROWS x (COLS · LANES)
//   of y, each lane COLS neighboring columns. x counts tiles; y, and z past 65,535, count (split,
//   plane, panel). If there are more than 65,535 tiles, they continue in y, and z counts (split,
//   plane, panel). A split computes `chunk` values of k0.
// One load of A serves all lanes: LOADING_LANES of them load a vec4f each, and a broadcast gives
// each value to every lane. Nothing waits at a barrier, so a CPU adapter runs straight vector code.
// One turn of the inner loop adds UNROLL steps of the sum to one accumulator, then to the next:
// there are more accumulators than registers, so each is loaded and stored once a turn.
// checked by test/ops/contract.test.ts, test/ops/contractTiles.test.ts, test/ops/conv2d.test.ts,
//   test/ops/linear.test.ts
enable subgroups;

#include "contract/params.wgsl"
// How many loads of A and of B one turn of the inner loop needs.
#let A_LOADS = (UNROLL * ROWS / 4 + LOADING_LANES - 1) / LOADING_LANES
#let B_COL_LOADS = COLS / COLS_PER_LOAD
#let B_STEP_LOADS = UNROLL / STEPS_PER_LOAD

@compute @workgroup_size(#{LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let many_tiles = params.cols > #{65535 * COLS * LANES}u;
  let tile = select(0u, group.y * 65535u, many_tiles) + group.x;
  let part = select(group.z * 65535u + group.y, group.z, many_tiles);
  let panel = part % params.panels;
  let plane = (part / params.panels) % params.planes;
  let split = part / (params.panels * params.planes);
  if (tile * #{COLS * LANES}u >= params.cols || split >= params.splits) {
    return;
  }

  // Where in b this lane's columns start. A lane past the last column computes the last one again
  // and does not store it.
  let first_col = (tile * #{LANES}u + lane) * #{COLS}u;
  #repeat load in 0..B_COL_LOADS
    let col#{load} = min(first_col + #{load * COLS_PER_LOAD}u, params.cols - #{COLS_PER_LOAD}u);
    let j#{load} = col#{load} / #{COLS_PER_LOAD}u;
    let j01_#{load} = j#{load} / params.cols2;
    let j2_#{load} = j#{load} % params.cols2;
    let j1_#{load} = j01_#{load} % params.cols1;
    let j0_#{load} = j01_#{load} / params.cols1;
    let b_start#{load} = params.b_base + plane * params.b_plane_stride
      + j0_#{load} * params.b_j0_stride
      + j1_#{load} * params.b_j1_stride
      + j2_#{load} * params.b_j2_stride;
  #end repeat load
  #repeat row in 0..ROWS
    #repeat col in 0..COLS
      var sum#{row}_#{col} = 0.0;
    #end repeat col
  #end repeat row

  // Read once: on a CPU a uniform costs as much as a dozen multiply-adds, in every turn of a loop.
  let depth1 = params.depth1;
  let depth2 = params.depth2;
  let b_k0_stride = params.b_k0_stride;
  let b_k1_stride = params.b_k1_stride;
  let b_k2_stride = params.b_k2_stride;
  let first_k0 = split * params.chunk;
  let end_k0 = min(first_k0 + params.chunk, params.depth0);
  let steps_per_k0 = depth1 * depth2 * #{STEPS_PER_LOAD}u;
  let a_step_stride = params.a_step_stride;
  // Where in a the next turn's steps start, and how far from there this lane loads.
  var a_start = params.a_base
    + (plane * params.panels + panel) * params.a_panel_stride
    + first_k0 * steps_per_k0 * a_step_stride;
  #repeat load in 0..A_LOADS
    let a_vector#{load} = #{load * LOADING_LANES}u + lane % #{LOADING_LANES}u;
    let a_offset#{load} = a_vector#{load} / #{ROWS / 4}u * a_step_stride
      + a_vector#{load} % #{ROWS / 4}u;
  #end repeat load

  for (var k0 = first_k0; k0 < end_k0; k0++) {
    for (var k1 = 0u; k1 < depth1; k1++) {
      var b_offset = k0 * b_k0_stride + k1 * b_k1_stride;
      for (var k2 = 0u; k2 < depth2; k2 += #{B_STEP_LOADS}u) {
        #repeat load in 0..A_LOADS
          let a_load#{load} = a[a_start + a_offset#{load}];
        #end repeat load
        #repeat step in 0..B_STEP_LOADS
          #repeat col in 0..B_COL_LOADS
            let b_load#{step}_#{col} = b[b_start#{col} + b_offset + #{step}u * b_k2_stride];
          #end repeat col
        #end repeat step
        #repeat row in 0..ROWS
          #repeat step in 0..UNROLL
            #let vector = (step * ROWS + row) / 4
            #let load = vector / LOADING_LANES
            #let from_lane = vector % LOADING_LANES
            let a_value#{row}_#{step} = subgroupBroadcast(a_load#{load}[#{row % 4}], #{from_lane}u);
          #end repeat step
          #repeat col in 0..COLS
            #repeat step in 0..UNROLL
              #if INTERLEAVED == NONE
                sum#{row}_#{col} += a_value#{row}_#{step} * b_load#{step}_#{col};
              #end if
              #if INTERLEAVED == COLUMNS
                sum#{row}_#{col} += a_value#{row}_#{step} * b_load#{step}_#{col / 4}[#{col % 4}];
              #end if
              #if INTERLEAVED == DEPTH
                sum#{row}_#{col} += a_value#{row}_#{step} * b_load#{step / 4}_#{col}[#{step % 4}];
              #end if
            #end repeat step
          #end repeat col
        #end repeat row
        a_start += #{UNROLL}u * a_step_stride;
        b_offset += #{B_STEP_LOADS}u * b_k2_stride;
      }
    }
  }

  // The registers are stored from an array in a loop: a driver would take seconds to compile as
  // many single stores.
  var sums: array<f32, #{ROWS * COLS}>;
  #repeat col in 0..COLS
    #repeat row in 0..ROWS
      sums[#{row * COLS + col}] = sum#{row}_#{col};
    #end repeat row
  #end repeat col
  // panel_rows is ROWS. As a param, since a known bound makes compilers unroll the loop.
  let rows = min(params.panel_rows, params.rows - panel * #{ROWS}u);
  let y_row_stride = params.y_row_stride;
  let y_start = params.y_base
    + split * params.y_split_stride
    + plane * params.y_plane_stride
    + panel * #{ROWS}u * y_row_stride;
  let bias_per_row = params.bias_per_row != 0u;
  let bias_per_col = params.bias_per_col != 0u;
  let relu = params.relu != 0u;
  let row_bias_start = params.bias_base + plane * params.rows + panel * #{ROWS}u;
  #if Y_IS_VEC4
    #repeat vec in 0..COLS / 4
      #if INTERLEAVED == COLUMNS
        var y_at#{vec} = y_start
          + j0_#{vec} * params.y_j0_stride
          + j1_#{vec} * params.y_j1_stride
          + j2_#{vec} * params.y_j2_stride;
      #else
        var y_at#{vec} = y_start + first_col / 4u + #{vec}u;
      #end if
      let bias_at#{vec} = params.bias_base + first_col + #{4 * vec}u;
      let col_bias#{vec} = select(
        vec4f(),
        vec4f(
          bias[bias_at#{vec}],
          bias[bias_at#{vec} + 1u],
          bias[bias_at#{vec} + 2u],
          bias[bias_at#{vec} + 3u]),
        bias_per_col);
    #end repeat vec
  #else
    #repeat col in 0..COLS
      #let load = col / COLS_PER_LOAD
      #let element = col % COLS_PER_LOAD
      let stored#{col} = first_col + #{col}u < params.cols
        && j0_#{load} * #{COLS_PER_LOAD}u + #{element}u < params.outer_cols;
      var y_at#{col} = y_start
        + j0_#{load} * params.y_j0_stride
        + j1_#{load} * params.y_j1_stride
        + j2_#{load} * params.y_j2_stride
        + #{element}u * params.y_element_stride;
      let col_bias#{col} = select(0.0, bias[params.bias_base + first_col + #{col}u], bias_per_col);
    #end repeat col
  #end if
  for (var row = 0u; row < rows; row++) {
    let row_bias = select(0.0, bias[row_bias_start + row], bias_per_row);
    #if Y_IS_VEC4
      #repeat vec in 0..COLS / 4
        if (first_col + #{4 * vec}u < params.cols) {
          let i = row * #{COLS}u + #{4 * vec}u;
          let four_sums = vec4f(sums[i], sums[i + 1u], sums[i + 2u], sums[i + 3u]);
          let value = four_sums + (row_bias + col_bias#{vec});
          // NaN is stored as NaN, as in relu/forward.wgsl.
          y[y_at#{vec}] = select(value, vec4f(), vec4<bool>(relu) & (value < vec4f()));
        }
        y_at#{vec} += y_row_stride;
      #end repeat vec
    #else
      #repeat col in 0..COLS
        if (stored#{col}) {
          let value = sums[row * #{COLS}u + #{col}u] + (row_bias + col_bias#{col});
          y[y_at#{col}] = select(value, 0.0, relu & (value < 0.0));
        }
        y_at#{col} += y_row_stride;
      #end repeat col
    #end if
  }
}
