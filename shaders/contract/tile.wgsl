// contract: y[row, col] = Σ_a Σ_b Σ_c A[row, (a, b, c)] · B[base(col) + a·stride_a + b·stride_b + c·stride_c]  (+ bias)
// Every matrix product and every convolution pass is this sum; src/ops/contract.ts says which strides make it which.
//   a: vec4f[planes][panels][depth][ROWS / 4], rows packed by contract/pack.wgsl        b, y, bias: f32, addressed by strides
//   col = (i0 · col1 + i1) · col2 + i2 lies at b_plane·plane + i0·b0 + i1·b1 + i2·b2 in b, at y_plane·plane + i0·y0 + i1·y1 + i2·y2 in y
// launch: one subgroup a workgroup; x counts tiles of COLS·LANES columns, y (wrapping into z) counts (split, plane, panel);
// where there are more than 65,535 tiles, they wrap into y, and z counts (split, plane, panel)
// One gather of the A operand serves all lanes: each holds a vec4 of it, and a broadcast from a constant lane hands a value to every
// lane. Nothing synchronises, so a CPU adapter runs this as straight-line vector code.
// checked by test/ops/contract.test.ts, test/ops/conv2d.test.ts, test/ops/linear.test.ts
enable subgroups;

struct Params {
  rows: u32, cols: u32, planes: u32, panels: u32, panel_rows: u32,
  depth_a: u32, depth_b: u32, depth_c: u32, chunk_a: u32,
  stride_a: u32, stride_b: u32, stride_c: u32,
  col1: u32, col2: u32,
  b_base: u32, b_plane: u32, b0: u32, b1: u32, b2: u32,
  y_base: u32, y_plane: u32, y_row: u32, y_split: u32, y0: u32, y1: u32, y2: u32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
#if BIAS > 0
@group(0) @binding(3) var<storage, read> bias: array<f32>;
#end
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(#{LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let wide = params.cols > #{65535 * COLS * LANES}u;
  let tile = select(0u, group.y * 65535u, wide) + group.x;
  let part = select(group.z * 65535u + group.y, group.z, wide);
  let panel = part % params.panels;
  let plane = (part / params.panels) % params.planes;
  let split = part / (params.panels * params.planes);
  if (tile * #{COLS * LANES}u >= params.cols || (split > 0u && split * params.chunk_a >= params.depth_a)) {
    return;
  }
#repeat v in 0..COLS
  let col#{v} = tile * #{COLS * LANES}u + #{v * LANES}u + lane;
  let here#{v} = min(col#{v}, params.cols - 1u); // a lane past the end computes the last column again and does not store it
  let inner#{v} = here#{v} / params.col2;
  let i2_#{v} = here#{v} % params.col2;
  let i1_#{v} = inner#{v} % params.col1;
  let i0_#{v} = inner#{v} / params.col1;
  let base#{v} = params.b_base + plane * params.b_plane + i0_#{v} * params.b0 + i1_#{v} * params.b1 + i2_#{v} * params.b2;
#end
#repeat r in 0..ROWS
#repeat v in 0..COLS
  var sum#{r}_#{v} = 0.0;
#end
#end
  let first = split * params.chunk_a;
  let last = min(first + params.chunk_a, params.depth_a);
  let depth = params.depth_a * params.depth_b * params.depth_c;
  var at = ((plane * params.panels + panel) * depth + first * params.depth_b * params.depth_c) * #{ROWS / 4}u + lane % #{LOADS}u;
  for (var ia = first; ia < last; ia++) {
    for (var ib = 0u; ib < params.depth_b; ib++) {
      let row_offset = ia * params.stride_a + ib * params.stride_b;
      for (var ic = 0u; ic < params.depth_c; ic++) {
        let offset = row_offset + ic * params.stride_c;
#repeat g in 0..ROWS / 4 / LOADS
        let a#{g} = a[at + #{g * LOADS}u];
#end
#repeat v in 0..COLS
        let b#{v} = b[base#{v} + offset];
#end
#repeat r in 0..ROWS
        let w#{r} = subgroupBroadcast(a#{r / 4 / LOADS}[#{r % 4}], #{r / 4 % LOADS}u);
#repeat v in 0..COLS
        sum#{r}_#{v} += w#{r} * b#{v};
#end
#end
        at += #{ROWS / 4}u;
      }
    }
  }
  // The registers go out through a local array and a loop: unrolled, the stores alone would take a driver seconds to compile.
  var sums: array<f32, #{ROWS * COLS}>;
#repeat v in 0..COLS
#repeat r in 0..ROWS
  sums[#{v * ROWS + r}] = sum#{r}_#{v};
#end
#end
  let rows = min(params.panel_rows, params.rows - panel * #{ROWS}u); // not min(ROWS, …): a known bound invites the unrolling
#repeat v in 0..COLS
  if (col#{v} < params.cols) {
    var target#{v} = params.y_base + split * params.y_split + plane * params.y_plane + i0_#{v} * params.y0 + i1_#{v} * params.y1 + i2_#{v} * params.y2
      + panel * #{ROWS}u * params.y_row;
    for (var r = 0u; r < rows; r++) {
#if BIAS == 0
      y[target#{v}] = sums[#{v * ROWS}u + r];
#end
#if BIAS == 1
      y[target#{v}] = sums[#{v * ROWS}u + r] + bias[plane * params.rows + panel * #{ROWS}u + r];
#end
#if BIAS == 2
      y[target#{v}] = sums[#{v * ROWS}u + r] + bias[col#{v}];
#end
      target#{v} += params.y_row;
    }
  }
#end
}
