// A CUDA driver library without a GPU: memory is the host's, kernels are the CPU build of portrait.cu, streams run at
// once, graphs remember calls. With it the real device layer, with its real argument passing, runs in every test.
//
// FAKE_CUDA_FAIL="function:code:n" lets the n-th call of a function, and everything after it, fail with that code.

#include "portrait.cu"

#include <dlfcn.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

typedef unsigned long long u64;
typedef std::function<void()> Call;

static int broken = 0;
static int depth = 0;
static bool recording = false;
static std::vector<Call> recorded;
static std::map<void*, size_t> allocated;

static int answer(const char* function) {
    static std::map<std::string, int> calls;
    int n = ++calls[function];
    if (const char* fail = getenv("FAKE_CUDA_FAIL")) {
        std::string rule(fail);
        size_t first = rule.find(':'), second = rule.find(':', first + 1);
        if (rule.substr(0, first) == function && n >= atoi(rule.c_str() + second + 1)) {
            int code = atoi(rule.c_str() + first + 1);
            if (code != 2) broken = code;
            return code;
        }
    }
    return broken;
}

static int put(const char* function, Call call) {
    int code = answer(function);
    if (code) return code;
    if (depth <= 0) return 201;
    if (recording) recorded.push_back(call);
    else call();
    return 0;
}

extern "C" {

int cuInit(unsigned) { return 0; }
int cuDriverGetVersion(int* version) { *version = 13000; return 0; }
int cuDeviceGetCount(int* count) { *count = 1; return 0; }
int cuDeviceGet(int* device, int index) { *device = index; return 0; }
int cuDeviceGetName(char* name, int length, int) { strncpy(name, "Imagined GPU", length); return 0; }
int cuDeviceTotalMem_v2(size_t* bytes, int) { *bytes = 8ull << 30; return 0; }
int cuDeviceGetAttribute(int* value, int attribute, int) { *value = attribute == 75 ? 8 : attribute == 76 ? 9 : 0; return 0; }
int cuGetErrorName(int code, const char** name) { *name = code == 719 ? "CUDA_ERROR_LAUNCH_FAILED" : "CUDA_ERROR"; return 0; }
int cuGetErrorString(int, const char** text) { *text = "an error"; return 0; }
int cuDevicePrimaryCtxRetain(void** context, int) { *context = (void*)0x1000; return 0; }
int cuDevicePrimaryCtxRelease(int) { return 0; }
int cuCtxPushCurrent(void*) { ++depth; return 0; }
int cuCtxPopCurrent(void** context) { if (context) *context = (void*)0x1000; --depth; return 0; }
int cuStreamCreate(void** stream, unsigned) { *stream = (void*)0x2000; return 0; }
int cuStreamDestroy(void*) { return 0; }
int cuStreamSynchronize(void*) { return answer("cuStreamSynchronize"); }

int cuMemAlloc(u64* address, size_t bytes) {
    if (int code = answer("cuMemAlloc")) return code;
    void* memory = aligned_alloc(256, (bytes + 255) / 256 * 256);
    memset(memory, 0xAB, bytes);
    allocated[memory] = bytes;
    *address = (u64)memory;
    return 0;
}
int cuMemFree(u64 address) { allocated.erase((void*)address); free((void*)address); return 0; }
int cuMemHostAlloc(void** address, size_t bytes, unsigned) {
    if (int code = answer("cuMemHostAlloc")) return code;
    *address = aligned_alloc(256, (bytes + 255) / 256 * 256);
    allocated[*address] = bytes;
    return 0;
}
int cuMemFreeHost(void* address) { allocated.erase(address); free(address); return 0; }
void fakeRepair() { broken = 0; }
int fakeLiveAllocations() { return (int)allocated.size(); }

int cuMemcpyHtoDAsync(u64 target, const void* source, size_t bytes, void*) {
    return put("cuMemcpyHtoDAsync", [=] { memcpy((void*)target, source, bytes); });
}
int cuMemcpyDtoHAsync(void* target, u64 source, size_t bytes, void*) {
    return put("cuMemcpyDtoHAsync", [=] { memcpy(target, (void*)source, bytes); });
}

int cuModuleLoadData(void** module, const void* image) {
    if (!strstr((const char*)image, ".visible .entry crop_faces")) return 218;
    *module = (void*)0x3000;
    return 0;
}
int cuModuleUnload(void*) { return 0; }
int cuModuleGetFunction(void** function, void*, const char* name) {
    static std::vector<std::string> names = {"crop_faces", "blend_face", "stand_in_generator"};
    for (size_t i = 0; i < names.size(); ++i)
        if (names[i] == name) { *function = (void*)(0x4000 + i); return 0; }
    return 500;
}

int cuLaunchKernel(void* function, unsigned gx, unsigned, unsigned gz, unsigned, unsigned, unsigned, unsigned, void*,
                   void** p, void**) {
#define P(i, T) (*(T*)p[i])
    size_t which = (size_t)function - 0x4000;
    if (which == 0) {
        auto f = P(0, Face*); auto pool = P(1, u8*); auto fields = P(2, float*);
        int grid = P(3, int), size = P(4, int); auto crops = P(5, u8*);
        return put("cuLaunchKernel", [=] { crop_faces(gz, f, pool, fields, grid, size, crops); });
    }
    if (which == 1) {
        auto f = P(0, Face*); int index = P(1, int); auto pool = P(2, u8*); auto cartoons = P(3, u8*);
        int channels = P(4, int); auto matte = P(5, u8*); int step = P(6, int), stride = P(7, int);
        auto window = P(8, u8*); auto hulls = P(9, u8*); int size = P(10, int);
        return put("cuLaunchKernel", [=] {
            blend_face(f, index, pool, cartoons, channels, matte, step, stride, window, hulls, size);
        });
    }
    auto crops = P(0, u8*); int pixels = P(1, int), channels = P(2, int); auto cartoons = P(3, u8*);
    return put("cuLaunchKernel", [=] { stand_in_generator(crops, pixels, channels, cartoons); });
}

int cuStreamBeginCapture(void*, int) { recording = true; recorded.clear(); return 0; }
int cuStreamEndCapture(void*, void** graph) {
    recording = false;
    *graph = new std::vector<Call>(recorded);
    return 0;
}
int cuGraphInstantiate(void** executable, void* graph, u64) {
    *executable = new std::vector<Call>(*(std::vector<Call>*)graph);
    return 0;
}
int cuStreamBeginCapture_v2(void* stream, int mode) { return cuStreamBeginCapture(stream, mode); }
int cuGraphInstantiateWithFlags(void** executable, void* graph, u64 flags) { return cuGraphInstantiate(executable, graph, flags); }
int cuGraphLaunch(void* executable, void*) {
    auto calls = (std::vector<Call>*)executable;
    return put("cuGraphLaunch", [=] { for (auto& call : *calls) call(); });
}
int cuGraphDestroy(void* graph) { delete (std::vector<Call>*)graph; return 0; }
int cuGraphExecDestroy(void* graph) { delete (std::vector<Call>*)graph; return 0; }

int cuEventCreate(void** event, unsigned) { *event = new double(0); return 0; }
int cuEventRecord(void* event, void*) {
    *(double*)event = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
    return 0;
}
int cuEventSynchronize(void*) { return answer("cuEventSynchronize"); }
int cuEventElapsedTime(float* ms, void* start, void* end) { *ms = (float)(*(double*)end - *(double*)start); return 0; }
int cuEventDestroy(void* event) { delete (double*)event; return 0; }

int cuGetProcAddress_v2(const char* symbol, void** function, int, u64, int* status) {
    Dl_info self;
    dladdr((void*)&cuInit, &self);
    void* library = dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    *function = dlsym(library, symbol);
    if (!*function && !strcmp(symbol, "cuGetProcAddress")) *function = (void*)&cuGetProcAddress_v2;
    if (status) *status = *function ? 0 : 1;
    return *function ? 0 : 500;
}
}
