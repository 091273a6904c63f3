/*
 * A Vulkan layer that lets a driver compile for a GPU that is not there.
 *
 * RADV takes the GPU's name from RADV_FORCE_FAMILY and compiles for it, but has no kernel driver
 * below it to give it memory or to run anything. This layer stands in front of it: memory is plain
 * host memory, fences are always signaled, and commands, submissions and bindings do nothing.
 * Everything else, the creation of pipelines above all, goes through to the driver.
 *
 * Built and loaded by bench/compiled/nullGpu.ts. Only the fields that are used are declared: their
 * order and sizes are those of vulkan_core.h and vk_layer.h for 64-bit machines.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef void (*Function)(void);
typedef Function (*GetProc)(void *handle, const char *name);

/* VkResult */
enum { SUCCESS = 0, OUT_OF_MEMORY = -1, FAILED = -3 };

/* ---- How the loader chains layers: vk_layer.h ---- */

/* VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO and …_DEVICE_CREATE_INFO */
enum { LOADER_INSTANCE = 47, LOADER_DEVICE = 48 };

/* VkLayerInstanceLink and VkLayerDeviceLink; `second` is of use for devices only. */
struct link {
  struct link *next;
  GetProc instance_proc;
  GetProc second;
};

/* Any structure of a pNext chain; `function` and `link` where it is the loader's. */
struct chained {
  int32_t type;
  struct chained *next;
  int32_t function;
  struct link *link;
};

static void *instance;
static GetProc instance_proc, device_proc;

/* The next layer, as the chain of a create info names it; the chain then goes on without it. */
static struct link *take_link(void *create_info, int32_t type) {
  for (struct chained *c = ((struct chained *)create_info)->next; c; c = c->next)
    if (c->type == type && c->function == 0) {
      struct link *link = c->link;
      c->link = link->next;
      return link;
    }
  return NULL;
}

static int32_t create_instance(void *info, const void *allocator, void **result) {
  struct link *link = take_link(info, LOADER_INSTANCE);
  if (!link) return FAILED;
  instance_proc = link->instance_proc;
  typedef int32_t (*Create)(void *, const void *, void **);
  int32_t status = ((Create)instance_proc(NULL, "vkCreateInstance"))(info, allocator, result);
  if (status == SUCCESS) instance = *result;
  return status;
}

static int32_t create_device(void *gpu, void *info, const void *allocator, void **result) {
  struct link *link = take_link(info, LOADER_DEVICE);
  if (!link) return FAILED;
  device_proc = link->second;
  typedef int32_t (*Create)(void *, void *, const void *, void **);
  return ((Create)instance_proc(instance, "vkCreateDevice"))(gpu, info, allocator, result);
}

/* ---- Memory: one heap, and the three types that Dawn looks for ---- */

/* VkPhysicalDeviceMemoryProperties */
struct memory_properties {
  uint32_t types;
  struct { uint32_t flags, heap; } type[32];
  uint32_t heaps;
  struct { uint64_t bytes; uint32_t flags; } heap[16];
};

enum { DEVICE_LOCAL = 1, HOST_VISIBLE = 2, HOST_COHERENT = 4, HOST_CACHED = 8 };
enum { MEMORY_TYPES = 3, ANY_TYPE = (1 << MEMORY_TYPES) - 1 };

static void memory_properties(void *gpu, struct memory_properties *p) {
  (void)gpu;
  memset(p, 0, sizeof *p);
  p->types = MEMORY_TYPES;
  p->type[0].flags = DEVICE_LOCAL;
  p->type[1].flags = DEVICE_LOCAL | HOST_VISIBLE | HOST_COHERENT;
  p->type[2].flags = DEVICE_LOCAL | HOST_VISIBLE | HOST_COHERENT | HOST_CACHED;
  p->heaps = 1;
  p->heap[0].bytes = 16ull << 30;
  p->heap[0].flags = DEVICE_LOCAL;
}

/* VkPhysicalDeviceMemoryProperties2 */
struct memory_properties2 { int32_t type; void *next; struct memory_properties properties; };

static void memory_properties2(void *gpu, struct memory_properties2 *p) {
  memory_properties(gpu, &p->properties);
}

/* VkMemoryAllocateInfo. The memory itself is its handle. */
struct allocation { int32_t type; const void *next; uint64_t bytes; uint32_t memory_type; };

static int32_t allocate(void *device, const struct allocation *info, const void *a, void **memory) {
  (void)device, (void)a;
  *memory = calloc(1, info->bytes);
  return *memory ? SUCCESS : OUT_OF_MEMORY;
}

static void release(void *device, void *memory, const void *a) {
  (void)device, (void)a;
  free(memory);
}

static int32_t map(void *device, char *memory, uint64_t offset, uint64_t bytes, uint32_t flags,
                   char **mapped) {
  (void)device, (void)bytes, (void)flags;
  *mapped = memory + offset;
  return SUCCESS;
}

/* VkMemoryRequirements, and the second form of it. Any type of memory will do. */
struct requirements { uint64_t bytes, alignment; uint32_t memory_types; };
struct requirements2 { int32_t type; void *next; struct requirements requirements; };

static void buffer_requirements(void *device, uint64_t buffer, struct requirements *r) {
  typedef void (*Get)(void *, uint64_t, struct requirements *);
  ((Get)device_proc(device, "vkGetBufferMemoryRequirements"))(device, buffer, r);
  r->memory_types = ANY_TYPE;
}

static void buffer_requirements2(void *device, const void *info, struct requirements2 *r) {
  typedef void (*Get)(void *, const void *, struct requirements2 *);
  ((Get)device_proc(device, "vkGetBufferMemoryRequirements2"))(device, info, r);
  r->requirements.memory_types = ANY_TYPE;
}

/* ---- Execution: nothing happens, and it is done at once ---- */

static int32_t nothing(void) { return SUCCESS; }

/* A fence or a semaphore: a number that no one looks behind. */
static int32_t create_signal(void *device, const void *info, const void *a, uint64_t *signal) {
  static uint64_t last;
  (void)device, (void)info, (void)a;
  *signal = ++last;
  return SUCCESS;
}

/* A file of a fence that is signaled already. */
static int32_t fence_file(void *device, const void *info, int *file) {
  (void)device, (void)info;
  *file = -1;
  return SUCCESS;
}

/* ---- Who answers which call ---- */

#define ANSWER(name, function) { "vk" name, (Function)(function) }

static const struct { const char *name; Function function; } answers[] = {
  ANSWER("GetPhysicalDeviceMemoryProperties", memory_properties),
  ANSWER("GetPhysicalDeviceMemoryProperties2", memory_properties2),
  ANSWER("GetPhysicalDeviceMemoryProperties2KHR", memory_properties2),
  ANSWER("AllocateMemory", allocate),
  ANSWER("FreeMemory", release),
  ANSWER("MapMemory", map),
  ANSWER("UnmapMemory", nothing),
  ANSWER("FlushMappedMemoryRanges", nothing),
  ANSWER("InvalidateMappedMemoryRanges", nothing),
  ANSWER("GetBufferMemoryRequirements", buffer_requirements),
  ANSWER("GetBufferMemoryRequirements2", buffer_requirements2),
  ANSWER("GetBufferMemoryRequirements2KHR", buffer_requirements2),
  ANSWER("BindBufferMemory", nothing),
  ANSWER("BindBufferMemory2", nothing),
  ANSWER("BindBufferMemory2KHR", nothing),
  ANSWER("UpdateDescriptorSets", nothing),
  ANSWER("BeginCommandBuffer", nothing),
  ANSWER("EndCommandBuffer", nothing),
  ANSWER("ResetCommandBuffer", nothing),
  ANSWER("QueueSubmit", nothing),
  ANSWER("QueueSubmit2", nothing),
  ANSWER("QueueWaitIdle", nothing),
  ANSWER("DeviceWaitIdle", nothing),
  ANSWER("CreateFence", create_signal),
  ANSWER("DestroyFence", nothing),
  ANSWER("ResetFences", nothing),
  ANSWER("GetFenceStatus", nothing),
  ANSWER("WaitForFences", nothing),
  ANSWER("GetFenceFdKHR", fence_file),
  ANSWER("CreateSemaphore", create_signal),
  ANSWER("DestroySemaphore", nothing),
};

/* This layer's answer to a call that the driver knows; else the driver's own. */
static Function answer_or(const char *name, Function drivers) {
  if (!drivers) return NULL;
  if (strncmp(name, "vkCmd", 5) == 0) return (Function)nothing;
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
    if (strcmp(name, answers[i].name) == 0) return answers[i].function;
  return drivers;
}

#define EXPORT __attribute__((visibility("default")))

EXPORT Function vkGetDeviceProcAddr(void *device, const char *name) {
  if (strcmp(name, "vkGetDeviceProcAddr") == 0) return (Function)vkGetDeviceProcAddr;
  return answer_or(name, device_proc(device, name));
}

EXPORT Function vkGetInstanceProcAddr(void *asked, const char *name) {
  if (strcmp(name, "vkGetInstanceProcAddr") == 0) return (Function)vkGetInstanceProcAddr;
  if (strcmp(name, "vkGetDeviceProcAddr") == 0) return (Function)vkGetDeviceProcAddr;
  if (strcmp(name, "vkCreateInstance") == 0) return (Function)create_instance;
  if (strcmp(name, "vkCreateDevice") == 0) return (Function)create_device;
  return instance_proc ? answer_or(name, instance_proc(asked, name)) : NULL;
}
