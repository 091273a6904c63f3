// contract: y[row, col] = Σ_a Σ_b Σ_c A[row, (a, b, c)] · B[base(col) + a·stride_a + b·stride_b +
// c·stride_c]  (+ bias), or max(that, 0) The sum of contract/tile.wgsl, with the same operands,
// params and groups of four, for a GPU: a workgroup computes ROWS x BLOCK_COLS of y. BLOCK_DEPTH
// steps of both operands are staged in shared memory, from where every thread multiplies
// THREAD_ROWS of A with THREAD_COLS of B in registers (Volkov & Demmel 2008, "Benchmarking GPUs to
// tune dense linear algebra").
//   steps of the sum are counted through: k = ((a · depth_b + b) · groups_c + c) · FOURS_DEPTH +
//   step, and a split takes chunk of them
// launch: ROWS / THREAD_ROWS · BLOCK_COLS / THREAD_COLS threads; x counts blocks of columns
// (wrapping into y where there are more than 65,535, z then counting parts), y, wrapping into z,
// counts (split, plane, panel) checked by test/ops/contract.test.ts, test/ops/contractTiles.test.ts
#include "contract/params.wgsl"

const threads = #{ROWS / THREAD_ROWS * BLOCK_COLS / THREAD_COLS}u;

var<workgroup> block_a: array<vec4f, #{BLOCK_DEPTH * ROWS / 4}>;
var<workgroup> block_b: array<vec4f, #{BLOCK_DEPTH * BLOCK_COLS / 4}>;

// Where in b the group of columns that holds `col` begins; the last group again for a column past
// the end.
fn column_base(plane: u32, col: u32) -> u32 {
  let here = min(col, params.cols - #{FOURS_COLS}u) / #{FOURS_COLS}u;
  let inner = here / params.col2;
  return params.b_base + plane * params.b_plane + inner / params.col1 * params.b0 + inner % params.col1 * params.b1 + here % params.col2 * params.b2;
}

// Where in b the step k, or the group of steps that holds it, lies from its column's base.
fn step_offset(k: u32) -> u32 {
  let ic = k / #{FOURS_DEPTH}u;
  let ib = ic / params.groups_c;
  return ib / params.depth_b * params.stride_a + ib % params.depth_b * params.stride_b + ic % params.groups_c * params.stride_c;
}

@compute @workgroup_size(#{ROWS / THREAD_ROWS * BLOCK_COLS / THREAD_COLS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let wide = params.cols > #{65535 * BLOCK_COLS}u;
  let block = select(0u, group.y * 65535u, wide) + group.x;
  let part = select(group.z * 65535u + group.y, group.z, wide);
  let panel = part % params.panels;
  let plane = (part / params.panels) % params.planes;
  let split = part / (params.panels * params.planes);
  let depth = params.depth_a * params.depth_b * params.groups_c * #{FOURS_DEPTH}u;
  let first = split * params.chunk;
  // Uniform over the workgroup: no thread of it waits at a barrier that another never reaches.
  if (block * #{BLOCK_COLS}u >= params.cols || (split >= params.splits)) {
    return;
  }
  let last = min(first + params.chunk, depth);
  let block_col = block * #{BLOCK_COLS}u;
  let a_base = params.a_base + (plane * params.panels + panel) * params.a_panel;
  let my_row = thread / #{BLOCK_COLS / THREAD_COLS}u * #{THREAD_ROWS / 4}u; // in vectors
  let my_col = thread % #{BLOCK_COLS / THREAD_COLS}u * #{THREAD_COLS}u;
  #repeat r in 0..THREAD_ROWS
    #repeat v in 0..THREAD_COLS / 4
      var sum#{r}_#{v} = vec4f();
    #end repeat v
  #end repeat r
  for (var from_k = first; from_k < last; from_k += #{BLOCK_DEPTH}u) {
    for (var i = thread; i < #{BLOCK_DEPTH * ROWS / 4}u; i += threads) {
      let k = from_k + i / #{ROWS / 4}u;
      if (k < last) {
        block_a[i] = a[a_base + k * params.a_step + i % #{ROWS / 4}u];
      } else {
        block_a[i] = vec4f();
      }
    }
    #if VECTOR == 2
      // Four columns and a group of four steps at a time, turned so that columns are neighbors.
      for (var i = thread; i < #{BLOCK_DEPTH * BLOCK_COLS / 16}u; i += threads) {
        let step = i / #{BLOCK_COLS / 4}u * 4u;
        let col = i % #{BLOCK_COLS / 4}u;
        var values = mat4x4f();
        if (from_k + step < last) {
          let offset = step_offset(from_k + step);
          #repeat e in 0..4
            values[#{e}] = b[column_base(plane, block_col + col * 4u + #{e}u) + offset];
          #end repeat e
        }
        let turned = transpose(values);
        #repeat e in 0..4
          block_b[(step + #{e}u) * #{BLOCK_COLS / 4}u + col] = turned[#{e}];
        #end repeat e
      }
    #else
      for (var i = thread; i < #{BLOCK_DEPTH * BLOCK_COLS / 4}u; i += threads) {
        let k = from_k + i / #{BLOCK_COLS / 4}u;
        let col = block_col + i % #{BLOCK_COLS / 4}u * 4u;
        var value = vec4f();
        if (k < last) {
          let offset = step_offset(k);
          #if VECTOR == 1
            value = b[column_base(plane, col) + offset];
          #else
            #repeat e in 0..4
              value[#{e}] = b[column_base(plane, col + #{e}u) + offset];
            #end repeat e
          #end if
        }
        block_b[i] = value;
      }
    #end if
    workgroupBarrier();
    for (var k = 0u; k < #{BLOCK_DEPTH}u; k++) {
      #repeat q in 0..THREAD_ROWS / 4
        let a#{q} = block_a[k * #{ROWS / 4}u + my_row + #{q}u];
      #end repeat q
      #repeat v in 0..THREAD_COLS / 4
        let b#{v} = block_b[k * #{BLOCK_COLS / 4}u + my_col / 4u + #{v}u];
      #end repeat v
      #repeat r in 0..THREAD_ROWS
        #repeat v in 0..THREAD_COLS / 4
          sum#{r}_#{v} += a#{r / 4}[#{r % 4}] * b#{v};
        #end repeat v
      #end repeat r
    }
    workgroupBarrier();
  }
  let y_part = params.y_base + split * params.y_split + plane * params.y_plane;
  #repeat r in 0..THREAD_ROWS
    {
      let row = panel * #{ROWS}u + my_row * 4u + #{r}u;
      if (row < params.rows) {
        #repeat v in 0..THREAD_COLS / 4
          store(y_part + row * params.y_row, plane * params.rows + row, block_col + my_col + #{4 * v}u, sum#{r}_#{v});
        #end repeat v
      }
    }
  #end repeat r
}

// Four columns of one row of y, from `col` on.
fn store(y_row: u32, bias_row: u32, col: u32, sum: vec4f) {
  if (col >= params.cols) {
    return;
  }
  let at = params.bias_base + col;
  let along = select(vec4f(), vec4f(bias[at], bias[at + 1u], bias[at + 2u], bias[at + 3u]), params.bias_col != 0u);
  let whole = sum + along + select(0.0, bias[params.bias_base + bias_row], params.bias_row != 0u);
  // NaN stays, as in relu/forward.wgsl
  let value = select(whole, vec4f(), vec4<bool>(params.relu != 0u) & (whole < vec4f()));
  #if FOURS_COLS == 4
    let group = col / 4u;
    let inner = group / params.col2;
    let i0 = inner / params.col1;
    let to = y_row + i0 * params.y0 + inner % params.col1 * params.y1 + group % params.col2 * params.y2;
    #if VECTOR_Y
      y[to] = value;
    #else
      #repeat e in 0..4
        if (i0 * 4u + #{e}u < params.live) {
          y[to + #{e}u * params.y_inner] = value[#{e}];
        }
      #end repeat e
    #end if
  #else
    #if VECTOR_Y
      y[y_row + col / 4u] = value;
    #else
      #repeat e in 0..4
        {
          let here = col + #{e}u;
          let inner = here / params.col2;
          let i0 = inner / params.col1;
          if (here < params.cols && i0 < params.live) {
            y[y_row + i0 * params.y0 + inner % params.col1 * params.y1 + here % params.col2 * params.y2] = value[#{e}];
          }
        }
      #end repeat e
    #end if
  #end if
}
