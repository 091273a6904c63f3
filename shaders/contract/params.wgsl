// What contract/tile.wgsl and contract/block.wgsl share: the operands of a contraction, and how
// they are addressed.
//   a: vec4f, four rows each: those of step k of a panel begin at a_base + (plane · panels + panel)
//   · a_panel + k · a_step. Packed by contract/pack.wgsl, or where it lies if its rows are
//   neighbors; what stands below the last row is read and not stored b, y, bias: f32, addressed by
//   strides
//   VECTOR: what four neighbors in b are. 0: nothing; 1: the four columns of a group; 2: the four
//   steps of a group of c. Then b is vec4f, its strides count vectors, and columns or c count
//   groups: FOURS_COLS, FOURS_DEPTH of them at a time the group (i0 · col1 + i1) · col2 + i2 lies
//   at b_plane·plane + i0·b0 + i1·b1 + i2·b2 in b, at y_plane·plane + i0·y0 + i1·y1 + i2·y2 in y,
//   its column e at e·y_inner behind; columns with i0 · FOURS_COLS + e ≥ live only fill up a group
//   and are not stored
//   VECTOR_Y: whether the four columns of a group are neighbors in y too. Then y is vec4f, and its
//   strides count vectors bias_row, bias_col: whether a value of bias is added to each row, or to
//   each column; the kernel is the same where none is
//   relu: whether max(y, 0) is stored
struct Params {
  rows: u32, cols: u32, planes: u32, panels: u32, panel_rows: u32,
  depth_a: u32, depth_b: u32, groups_c: u32, splits: u32, chunk: u32,
  a_base: u32, a_panel: u32, a_step: u32,
  stride_a: u32, stride_b: u32, stride_c: u32,
  col1: u32, col2: u32, live: u32,
  b_base: u32, b_plane: u32, b0: u32, b1: u32, b2: u32,
  y_base: u32, y_plane: u32, y_row: u32, y_split: u32, y0: u32, y1: u32, y2: u32, y_inner: u32,
  bias_base: u32, bias_row: u32, bias_col: u32, relu: u32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
#if VECTOR
  @group(0) @binding(1) var<storage, read> b: array<vec4f>;
#else
  @group(0) @binding(1) var<storage, read> b: array<f32>;
#end if
#if VECTOR_Y
  @group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
#else
  @group(0) @binding(2) var<storage, read_write> y: array<f32>;
#end if
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;
