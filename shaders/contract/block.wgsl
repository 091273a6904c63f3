// contract/block: a contraction in shared memory, for GPUs
//   y[row, col] = Σ_k A[row, k] · B[k, col] + bias, or max(that, 0)
// The same sum as contract/tile.wgsl, with the same operands and params; docs/kernels.md explains
// both.
//   a: vec4f, in panels of ROWS rows   b, y: f32 or vec4f   bias: f32   (see contract/params.wgsl)
// launch: a workgroup of (ROWS / THREAD_ROWS) · (BLOCK_COLS / THREAD_COLS) threads computes a block
//   of ROWS x BLOCK_COLS of y. x counts blocks; y, and z past 65,535, count (split, plane, panel).
//   If there are more than 65,535 blocks, they continue in y, and z counts (split, plane, panel). A
//   split computes `chunk` steps of the sum.
// BLOCK_DEPTH steps of both operands are copied to shared memory. From there each thread multiplies
// THREAD_ROWS of A with THREAD_COLS of B in registers (Volkov & Demmel 2008, "Benchmarking GPUs to
// tune dense linear algebra"). Steps of the sum are numbered in order:
//   k = ((k0 · depth1 + k1) · depth2 + k2) · STEPS_PER_LOAD + e
// where e is the component of a vector of b.
// checked by test/ops/contract.test.ts, test/ops/contractTiles.test.ts
#include "contract/params.wgsl"
#let THREADS = ROWS / THREAD_ROWS * BLOCK_COLS / THREAD_COLS

const threads = #{THREADS}u;

var<workgroup> block_a: array<vec4f, #{BLOCK_DEPTH * ROWS / 4}>;
var<workgroup> block_b: array<vec4f, #{BLOCK_DEPTH * BLOCK_COLS / 4}>;

// Where in b the column starts, or the vector of columns that contains it. For a column past the
// end this is the last one again.
fn column_start(plane: u32, col: u32) -> u32 {
  let j = min(col, params.cols - #{COLS_PER_LOAD}u) / #{COLS_PER_LOAD}u;
  let j01 = j / params.cols2;
  return params.b_base + plane * params.b_plane_stride
    + j01 / params.cols1 * params.b_j0_stride
    + j01 % params.cols1 * params.b_j1_stride
    + j % params.cols2 * params.b_j2_stride;
}

// How far step k is from its column's start in b, or the vector of steps that contains step k.
fn step_offset(k: u32) -> u32 {
  let k012 = k / #{STEPS_PER_LOAD}u;
  let k01 = k012 / params.depth2;
  return k01 / params.depth1 * params.b_k0_stride
    + k01 % params.depth1 * params.b_k1_stride
    + k012 % params.depth2 * params.b_k2_stride;
}

@compute @workgroup_size(#{THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let many_blocks = params.cols > #{65535 * BLOCK_COLS}u;
  let block = select(0u, group.y * 65535u, many_blocks) + group.x;
  let part = select(group.z * 65535u + group.y, group.z, many_blocks);
  let panel = part % params.panels;
  let plane = (part / params.panels) % params.planes;
  let split = part / (params.panels * params.planes);
  let depth = params.depth0 * params.depth1 * params.depth2 * #{STEPS_PER_LOAD}u;
  let first_k = split * params.chunk;
  // All threads of the workgroup leave, or none: otherwise some would wait at a barrier for ever.
  if (block * #{BLOCK_COLS}u >= params.cols || (split >= params.splits)) {
    return;
  }
  let end_k = min(first_k + params.chunk, depth);
  let block_col = block * #{BLOCK_COLS}u;
  let a_start = params.a_base + (plane * params.panels + panel) * params.a_panel_stride;
  // Where in the block this thread's part of y is: its first row, in vectors, and its first column.
  let row_vector = thread / #{BLOCK_COLS / THREAD_COLS}u * #{THREAD_ROWS / 4}u;
  let thread_col = thread % #{BLOCK_COLS / THREAD_COLS}u * #{THREAD_COLS}u;
  #repeat row in 0..THREAD_ROWS
    #repeat vec in 0..THREAD_COLS / 4
      var sum#{row}_#{vec} = vec4f();
    #end repeat vec
  #end repeat row

  for (var block_k = first_k; block_k < end_k; block_k += #{BLOCK_DEPTH}u) {
    // Copy BLOCK_DEPTH steps of A, and zeros past the last step.
    for (var i = thread; i < #{BLOCK_DEPTH * ROWS / 4}u; i += threads) {
      let k = block_k + i / #{ROWS / 4}u;
      if (k < end_k) {
        block_a[i] = a[a_start + k * params.a_step_stride + i % #{ROWS / 4}u];
      } else {
        block_a[i] = vec4f();
      }
    }
    // Copy the same steps of B.
    #if INTERLEAVED == DEPTH
      // Four columns and a vector of four steps at a time, transposed so that columns are
      // neighbors.
      for (var i = thread; i < #{BLOCK_DEPTH * BLOCK_COLS / 16}u; i += threads) {
        let step = i / #{BLOCK_COLS / 4}u * 4u;
        let col_vector = i % #{BLOCK_COLS / 4}u;
        var values = mat4x4f();
        if (block_k + step < end_k) {
          let offset = step_offset(block_k + step);
          #repeat e in 0..4
            values[#{e}] = b[column_start(plane, block_col + col_vector * 4u + #{e}u) + offset];
          #end repeat e
        }
        let transposed = transpose(values);
        #repeat e in 0..4
          block_b[(step + #{e}u) * #{BLOCK_COLS / 4}u + col_vector] = transposed[#{e}];
        #end repeat e
      }
    #else
      for (var i = thread; i < #{BLOCK_DEPTH * BLOCK_COLS / 4}u; i += threads) {
        let k = block_k + i / #{BLOCK_COLS / 4}u;
        let col = block_col + i % #{BLOCK_COLS / 4}u * 4u;
        var value = vec4f();
        if (k < end_k) {
          let offset = step_offset(k);
          #if INTERLEAVED == COLUMNS
            value = b[column_start(plane, col) + offset];
          #else
            #repeat e in 0..4
              value[#{e}] = b[column_start(plane, col + #{e}u) + offset];
            #end repeat e
          #end if
        }
        block_b[i] = value;
      }
    #end if
    workgroupBarrier();
    for (var step = 0u; step < #{BLOCK_DEPTH}u; step++) {
      #repeat vec in 0..THREAD_ROWS / 4
        let a_values#{vec} = block_a[step * #{ROWS / 4}u + row_vector + #{vec}u];
      #end repeat vec
      #repeat vec in 0..THREAD_COLS / 4
        let b_values#{vec} = block_b[step * #{BLOCK_COLS / 4}u + thread_col / 4u + #{vec}u];
      #end repeat vec
      #repeat row in 0..THREAD_ROWS
        #repeat vec in 0..THREAD_COLS / 4
          sum#{row}_#{vec} += a_values#{row / 4}[#{row % 4}] * b_values#{vec};
        #end repeat vec
      #end repeat row
    }
    workgroupBarrier();
  }

  let y_start = params.y_base + split * params.y_split_stride + plane * params.y_plane_stride;
  let first_col = block_col + thread_col;
  #repeat row in 0..THREAD_ROWS
    {
      let row = panel * #{ROWS}u + row_vector * 4u + #{row}u;
      let row_start = y_start + row * params.y_row_stride;
      let bias_row = plane * params.rows + row;
      if (row < params.rows) {
        #repeat vec in 0..THREAD_COLS / 4
          store(row_start, bias_row, first_col + #{4 * vec}u, sum#{row}_#{vec});
        #end repeat vec
      }
    }
  #end repeat row
}

// Stores four columns of one row of y, from `col` on. The row starts at row_start in y, and its
// bias, if rows have one, is at bias_row.
fn store(row_start: u32, bias_row: u32, col: u32, sum: vec4f) {
  if (col >= params.cols) {
    return;
  }
  let bias_at = params.bias_base + col;
  let col_bias = select(
    vec4f(),
    vec4f(bias[bias_at], bias[bias_at + 1u], bias[bias_at + 2u], bias[bias_at + 3u]),
    params.bias_per_col != 0u);
  let row_bias = select(0.0, bias[params.bias_base + bias_row], params.bias_per_row != 0u);
  let biased = sum + col_bias + row_bias;
  // NaN is stored as NaN, as in relu/forward.wgsl.
  let value = select(biased, vec4f(), vec4<bool>(params.relu != 0u) & (biased < vec4f()));
  #if INTERLEAVED == COLUMNS
    let j = col / 4u;
    let j01 = j / params.cols2;
    let j0 = j01 / params.cols1;
    let y_at = row_start
      + j0 * params.y_j0_stride
      + j01 % params.cols1 * params.y_j1_stride
      + j % params.cols2 * params.y_j2_stride;
    #if Y_IS_VEC4
      y[y_at] = value;
    #else
      #repeat e in 0..4
        if (j0 * 4u + #{e}u < params.outer_cols) {
          y[y_at + #{e}u * params.y_element_stride] = value[#{e}];
        }
      #end repeat e
    #end if
  #else
    #if Y_IS_VEC4
      y[row_start + col / 4u] = value;
    #else
      #repeat e in 0..4
        {
          let j = col + #{e}u;
          let j01 = j / params.cols2;
          let j0 = j01 / params.cols1;
          if (j < params.cols && j0 < params.outer_cols) {
            let y_at = row_start
              + j0 * params.y_j0_stride
              + j01 % params.cols1 * params.y_j1_stride
              + j % params.cols2 * params.y_j2_stride;
            y[y_at] = value[#{e}];
          }
        }
      #end repeat e
    #end if
  #end if
}
