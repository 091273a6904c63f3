// contract/block: a contraction in shared memory, for GPUs
//   y[row, col] = Σ_k A[row, k] · B[k, col] + bias, or max(that, 0)
// The same sum as contract/tile.wgsl, with the same operands and params; docs/kernels.md explains
// both.
//   a: vec4f, in panels of ROWS rows   b, y: f32 or vec4f   bias: f32   (see contract/params.wgsl)
// launch: a workgroup of (ROWS / THREAD_ROWS) · (BLOCK_COLS / THREAD_COLS) threads computes a block
//   of ROWS x BLOCK_COLS of y. x counts blocks; y, and z past 65,535, count (split, plane, panel).
//   If there are more than 65,535 blocks, they continue in y, and z counts (split, plane, panel). A
//   split computes `chunk` steps of the sum.
// Steps of both operands are copied to shared memory. From there each thread multiplies THREAD_ROWS
// of A with THREAD_COLS of B in registers (Volkov & Demmel 2008, "Benchmarking GPUs to tune dense
// linear algebra"). One turn of the loop takes BLOCK_DEPTH steps, in two halves: while one half is
// multiplied, the next one is on its way from memory to registers, and then goes to the other half
// of the shared memory, so that one barrier is enough for each. Steps are numbered in order:
//   k = ((k0 · depth1 + k1) · depth2 + k2) · STEPS_PER_LOAD + e
// where e is the component of a vector of b. ALIGNED: the BLOCK_DEPTH steps of every block have the
// same k0 and k1. Then no address in the loop needs a division, and no step a check.
// STEPS: how many steps of a half are written out. For a GPU all of them: the loop over them then
//   has a single turn, and vanishes. A compiler for a CPU would take a minute for that.
// WAVE: the size of a subgroup that is asked for; 0: the driver's choice.
// checked by test/ops/contract.test.ts, test/ops/contractTiles.test.ts
#if WAVE != 0
  enable subgroups;
  enable subgroup_size_control;
#end if
#include "contract/params.wgsl"
// A thread has THREAD_ROWS / 4 vectors of rows, ROW_PARTS vectors apart, and vectors of columns
// likewise: what neighboring threads read at the same time lies side by side.
#let ROW_PARTS = ROWS / THREAD_ROWS
#let COL_PARTS = BLOCK_COLS / THREAD_COLS
#let THREADS = ROW_PARTS * COL_PARTS
#let ROW_VECTORS = THREAD_ROWS / 4
#let COL_VECTORS = THREAD_COLS / 4
// How many vectors a thread copies for half a block, and how many steps of A, and vectors of steps
// or steps of B, are between two of them.
#let HALF_DEPTH = BLOCK_DEPTH / 2
#let A_LOADS = HALF_DEPTH * ROWS / 4 / THREADS
#let B_LOADS = HALF_DEPTH * BLOCK_COLS / 4 / THREADS
#let A_APART = THREADS / (ROWS / 4)
#if INTERLEAVED == DEPTH
  #let B_LANES = BLOCK_COLS
#else
  #let B_LANES = BLOCK_COLS / 4
#end if
#let B_APART = THREADS / B_LANES

alias StepOfA = array<array<vec4f, #{ROW_PARTS}>, #{ROW_VECTORS}>;
alias StepOfB = array<array<vec4f, #{COL_PARTS}>, #{COL_VECTORS}>;
var<workgroup> block_a: array<array<StepOfA, #{HALF_DEPTH}>, 2>;
var<workgroup> block_b: array<array<StepOfB, #{HALF_DEPTH}>, 2>;

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

#if WAVE != 0
  @compute @workgroup_size(#{THREADS}) @subgroup_size(#{WAVE})
#else
  @compute @workgroup_size(#{THREADS})
#end if
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
  let row_part = thread / #{COL_PARTS}u;
  let col_part = thread % #{COL_PARTS}u;
  #repeat row in 0..THREAD_ROWS
    #repeat vec in 0..COL_VECTORS
      var sum#{row}_#{vec} = vec4f();
    #end repeat vec
  #end repeat row

  // What this thread copies: of A always the same vector of rows, of B the same columns.
  let a_vector = thread % #{ROWS / 4}u;
  let a_step = thread / #{ROWS / 4}u;
  let b_lane = thread % #{B_LANES}u;
  let b_step = thread / #{B_LANES}u;
  let a_step_stride = params.a_step_stride;
  let a_half = #{HALF_DEPTH}u * a_step_stride;
  let a_apart = #{A_APART}u * a_step_stride;
  let a_start = params.a_base + (plane * params.panels + panel) * params.a_panel_stride
    + a_step * a_step_stride + a_vector;
  #if ALIGNED
    let b_thread = b_step * params.b_k2_stride;
  #else
    let b_thread = 0u;
  #end if
  #if INTERLEAVED == NONE
    #repeat e in 0..4
      let b_start#{e} = b_thread + column_start(plane, block_col + b_lane * 4u + #{e}u);
    #end repeat e
  #end if
  #if INTERLEAVED == COLUMNS
    let b_start = b_thread + column_start(plane, block_col + b_lane * 4u);
  #end if
  #if INTERLEAVED == DEPTH
    let b_start = b_thread + column_start(plane, block_col + b_lane);
  #end if
  #repeat load in 0..A_LOADS
    var next_a#{load} = vec4f();
  #end repeat load
  #repeat load in 0..B_LOADS
    var next_b#{load} = vec4f();
  #end repeat load
  // Where the next block begins: its first step, and how far from the starts it is in a and in b.
  // A sum of nothing has one block too, of zeros.
  var blocks_left = max(1u, (end_k - first_k + #{BLOCK_DEPTH - 1}u) / #{BLOCK_DEPTH}u);
  #if !ALIGNED
    var block_k = first_k;
  #end if
  var a_block = first_k * a_step_stride;
  #if ALIGNED
    let b_half = #{HALF_DEPTH / STEPS_PER_LOAD}u * params.b_k2_stride;
    let b_apart = #{B_APART}u * params.b_k2_stride;
    // From the last block of one k1 to the first of the next one, and of one k0 likewise.
    let blocks_per_k1 = params.depth2 / #{BLOCK_DEPTH / STEPS_PER_LOAD}u;
    let b_jump1 = params.b_k1_stride - params.depth2 * params.b_k2_stride;
    let b_jump0 = params.b_k0_stride - params.depth1 * params.b_k1_stride;
    let first_block = first_k / #{BLOCK_DEPTH}u;
    var b_block = step_offset(first_k);
    var left_in_k1 = blocks_per_k1 - first_block % blocks_per_k1;
    var left_in_k0 = params.depth1 - first_block / blocks_per_k1 % params.depth1;
  #end if

  #repeat next_half in 0..1
    #include "contract/block_next.wgsl"
  #end repeat next_half
  loop {
    #repeat half in 0..2
      // What was loaded goes to this half, while others may still multiply from the other one.
      #repeat load in 0..A_LOADS
        block_a[#{half}][a_step + #{load * A_APART}u]
          [a_vector / #{ROW_PARTS}u][a_vector % #{ROW_PARTS}u] = next_a#{load};
      #end repeat load
      #repeat load in 0..B_LOADS
        #if INTERLEAVED == DEPTH
          #repeat e in 0..4
            block_b[#{half}][(b_step + #{load * B_APART}u) * 4u + #{e}u]
              [b_lane / #{4 * COL_PARTS}u][b_lane / 4u % #{COL_PARTS}u][b_lane % 4u]
              = next_b#{load}[#{e}];
          #end repeat e
        #else
          block_b[#{half}][b_step + #{load * B_APART}u]
            [b_lane / #{COL_PARTS}u][b_lane % #{COL_PARTS}u] = next_b#{load};
        #end if
      #end repeat load
      workgroupBarrier();
      #if half == 1
        a_block += 2u * a_half;
        #if ALIGNED
          b_block += 2u * b_half;
          left_in_k1--;
          if (left_in_k1 == 0u) {
            left_in_k1 = blocks_per_k1;
            b_block += b_jump1;
            left_in_k0--;
            if (left_in_k0 == 0u) {
              left_in_k0 = params.depth1;
              b_block += b_jump0;
            }
          }
        #else
          block_k += #{BLOCK_DEPTH}u;
        #end if
      #end if
      #let next_half = 1 - half
      #include "contract/block_next.wgsl"
      for (var first = 0u; first < #{HALF_DEPTH}u; first += #{STEPS}u) {
        #repeat step in 0..STEPS
          #repeat vec in 0..ROW_VECTORS
            let a#{half}_#{step}_#{vec} = block_a[#{half}][first + #{step}u][#{vec}][row_part];
          #end repeat vec
          #repeat vec in 0..COL_VECTORS
            let b#{half}_#{step}_#{vec} = block_b[#{half}][first + #{step}u][#{vec}][col_part];
          #end repeat vec
          // What was read last is used first: then all of it is there, after a single wait.
          #repeat j in 0..COL_VECTORS
            #let vec = COL_VECTORS - 1 - j
            #repeat i in 0..THREAD_ROWS
              #let row = THREAD_ROWS - 1 - i
              sum#{row}_#{vec} +=
                a#{half}_#{step}_#{row / 4}[#{row % 4}] * b#{half}_#{step}_#{vec};
            #end repeat i
          #end repeat j
        #end repeat step
      }
    #end repeat half
    blocks_left--;
    if (blocks_left == 0u) {
      break;
    }
  }

  // Where in y this thread's columns are, which of them are stored, and their biases.
  let y_start = params.y_base + split * params.y_split_stride + plane * params.y_plane_stride;
  #repeat vec in 0..COL_VECTORS
    let col#{vec} = block_col + (#{vec * COL_PARTS}u + col_part) * 4u;
    #if INTERLEAVED == COLUMNS
      let j#{vec} = col#{vec} / 4u;
      let j01_#{vec} = j#{vec} / params.cols2;
      let j0_#{vec} = j01_#{vec} / params.cols1;
      let y_col#{vec} = y_start
        + j0_#{vec} * params.y_j0_stride
        + j01_#{vec} % params.cols1 * params.y_j1_stride
        + j#{vec} % params.cols2 * params.y_j2_stride;
    #else
      #if Y_IS_VEC4
        let y_col#{vec} = y_start + col#{vec} / 4u;
      #end if
    #end if
    #if Y_IS_VEC4
      let stored#{vec} = col#{vec} < params.cols;
    #else
      #repeat e in 0..4
        #if INTERLEAVED == COLUMNS
          let stored#{vec}_#{e} = col#{vec} < params.cols
            && j0_#{vec} * 4u + #{e}u < params.outer_cols;
          let y_col#{vec}_#{e} = y_col#{vec} + #{e}u * params.y_element_stride;
        #else
          let j#{vec}_#{e} = col#{vec} + #{e}u;
          let j01_#{vec}_#{e} = j#{vec}_#{e} / params.cols2;
          let j0_#{vec}_#{e} = j01_#{vec}_#{e} / params.cols1;
          let stored#{vec}_#{e} = j#{vec}_#{e} < params.cols && j0_#{vec}_#{e} < params.outer_cols;
          let y_col#{vec}_#{e} = y_start
            + j0_#{vec}_#{e} * params.y_j0_stride
            + j01_#{vec}_#{e} % params.cols1 * params.y_j1_stride
            + j#{vec}_#{e} % params.cols2 * params.y_j2_stride;
        #end if
      #end repeat e
    #end if
    var col_bias#{vec} = vec4f();
    if (params.bias_per_col != 0u) {
      #repeat e in 0..4
        col_bias#{vec}[#{e}] = bias[params.bias_base + col#{vec} + #{e}u];
      #end repeat e
    }
  #end repeat vec
  let relu = vec4<bool>(params.relu != 0u);
  #repeat row in 0..THREAD_ROWS
    {
      let row = panel * #{ROWS}u + (#{row / 4 * ROW_PARTS}u + row_part) * 4u + #{row % 4}u;
      if (row < params.rows) {
        let y_row = row * params.y_row_stride;
        var row_bias = 0.0;
        if (params.bias_per_row != 0u) {
          row_bias = bias[params.bias_base + plane * params.rows + row];
        }
        #repeat vec in 0..COL_VECTORS
          let biased#{vec} = sum#{row}_#{vec} + col_bias#{vec} + row_bias;
          // NaN is stored as NaN, as in relu/forward.wgsl.
          let value#{vec} = select(biased#{vec}, vec4f(), relu & (biased#{vec} < vec4f()));
          #if Y_IS_VEC4
            if (stored#{vec}) {
              y[y_col#{vec} + y_row] = value#{vec};
            }
          #else
            #repeat e in 0..4
              if (stored#{vec}_#{e}) {
                y[y_col#{vec}_#{e} + y_row] = value#{vec}[#{e}];
              }
            #end repeat e
          #end if
        #end repeat vec
      }
    }
  #end repeat row
}
