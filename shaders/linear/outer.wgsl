// outer: a dense layer's weight gradient for a small batch, where storing y is most of the work
//   y[o, i] = Σ_n dy[n, o] · x[n, i]
//   dy: f32[BATCH][dy_row], of which the outputs from dy_base on   x: vec4f[BATCH][columns]
//   y: vec4f[outputs][columns] from y_base on
// launch: THREADS threads, each with VECTORS vectors of every x in registers, THREADS apart. x
//   counts strips of THREADS · VECTORS columns, y counts parts of `chunk` rows of y. Neighboring
//   threads store neighboring vectors, so whole cache lines are written.
// checked by test/ops/specifications.test.ts and test/ops/linear.test.ts
struct Params { columns: u32, outputs: u32, chunk: u32, dy_row: u32, dy_base: u32, y_base: u32 }

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(#{THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let columns = params.columns;
  let dy_row = params.dy_row;
  let dy_base = params.dy_base;
  let y_base = params.y_base;
  let first = group.x * #{THREADS * VECTORS}u + thread;
  #repeat v in 0..VECTORS
    let column#{v} = min(first + #{v * THREADS}u, columns - 1u);
    #repeat n in 0..BATCH
      let x#{v}_#{n} = x[#{n}u * columns + column#{v}];
    #end repeat n
  #end repeat v
  let last = min((group.y + 1u) * params.chunk, params.outputs);
  for (var o = group.y * params.chunk; o < last; o++) {
    #repeat n in 0..BATCH
      let d#{n} = dy[dy_base + #{n}u * dy_row + o];
    #end repeat n
    let to = y_base + o * columns + first;
    #repeat v in 0..VECTORS
      if (first + #{v * THREADS}u < columns) {
        var sum = d0 * x#{v}_0;
        #repeat n in 1..BATCH
          sum += d#{n} * x#{v}_#{n};
        #end repeat n
        y[to + #{v * THREADS}u] = sum;
      }
    #end repeat v
  }
}
