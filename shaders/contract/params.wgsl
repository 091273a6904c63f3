// The operands of a contraction, and the params that say where in memory their elements are:
//
//   y[row, col] = Σ_k0 Σ_k1 Σ_k2 A[row, (k0, k1, k2)] · B[(k0, k1, k2), col]
//
// included by contract/tile.wgsl and contract/block.wgsl, filled in by src/ops/contract.ts. Planes
// are independent products side by side: the groups of a convolution.
//
// a: vec4f. A panel is ROWS rows of A. The ROWS values of one step of the sum are neighbors, four
//   to a vector; step k of a panel starts at
//     a_base + (plane · panels + panel) · a_panel_stride + k · a_step_stride
//   Either contract/pack.wgsl has written A this way, or its rows are neighbors already and are
//   read in place. Values below the last row are read, and their results are not stored.
// b: f32 or vec4f. A column has three indices, col = (j0 · cols1 + j1) · cols2 + j2, and starts at
//     b_base + plane · b_plane_stride + j0 · b_j0_stride + j1 · b_j1_stride + j2 · b_j2_stride
//   Step (k0, k1, k2) of the sum is k0 · b_k0_stride + k1 · b_k1_stride + k2 · b_k2_stride further.
// y: f32 or vec4f, with strides for plane, row, j0, j1 and j2 of its own. A sum in several splits
//   stores each of them y_split_stride further than the one before.
// bias: f32, added per row or per column. If there is none, any buffer may be bound.
//
// INTERLEAVED: what the four components of a vector of b are, so that one load fetches four values.
//   NONE: b is f32.
//   COLUMNS: four columns. The index (j0, j1, j2) counts vectors, and component e is stored in y
//     e · y_element_stride further. The last vectors may be filled up: only columns with
//     j0 · 4 + e < outer_cols are stored.
//   DEPTH: four steps of the sum. k2 counts vectors.
//   If b is vec4f, its strides count vectors.
// Y_IS_VEC4: four columns are neighbors in y and are stored as one vector; strides of y then count
//   vectors.
// relu: whether max(y, 0) is stored.
#let NONE = 0
#let COLUMNS = 1
#let DEPTH = 2
#if INTERLEAVED == COLUMNS
  #let COLS_PER_LOAD = 4
#else
  #let COLS_PER_LOAD = 1
#end if
#if INTERLEAVED == DEPTH
  #let STEPS_PER_LOAD = 4
#else
  #let STEPS_PER_LOAD = 1
#end if

struct Params {
  rows: u32, cols: u32, planes: u32, panels: u32, panel_rows: u32,
  depth0: u32, depth1: u32, depth2: u32, splits: u32, chunk: u32,
  a_base: u32, a_panel_stride: u32, a_step_stride: u32,
  b_k0_stride: u32, b_k1_stride: u32, b_k2_stride: u32,
  cols1: u32, cols2: u32, outer_cols: u32,
  b_base: u32, b_plane_stride: u32, b_j0_stride: u32, b_j1_stride: u32, b_j2_stride: u32,
  y_base: u32, y_plane_stride: u32, y_row_stride: u32, y_split_stride: u32,
  y_j0_stride: u32, y_j1_stride: u32, y_j2_stride: u32, y_element_stride: u32,
  bias_base: u32, bias_per_row: u32, bias_per_col: u32, relu: u32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
#if INTERLEAVED != NONE
  @group(0) @binding(1) var<storage, read> b: array<vec4f>;
#else
  @group(0) @binding(1) var<storage, read> b: array<f32>;
#end if
#if Y_IS_VEC4
  @group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
#else
  @group(0) @binding(2) var<storage, read_write> y: array<f32>;
#end if
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;
