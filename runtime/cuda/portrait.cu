// From frame to crop and back: the kernels around the generator.
//
// One source for two compilers. nvcc makes the PTX that ships (portrait.ptx); a C++ compiler makes a library with the
// same functions in plain loops, so that the arithmetic is tested where there is no GPU.
//
// toonfilter.runtime.cuda.kernels has the commands.
//
// Pictures are uint8, RGB, rows without gaps. Pixel centres lie at whole numbers. The parts of the frame that the faces
// need lie one behind the other in `pool`; a place in one of them is called a region place.

#ifdef __CUDACC__
#define SHARED_CODE __host__ __device__ __forceinline__
#else
#include <cmath>
#define SHARED_CODE static inline
#endif

typedef unsigned char u8;

// Written by the host (toonfilter.runtime.cuda.parameters), once a frame for each face; 24 words.
struct Face {
    float crop_to_region[6];   // region x = a[0] u + a[1] v + a[2], region y = a[3] u + a[4] v + a[5]
    float region_to_crop[6];
    int region_offset;         // bytes from the start of the pool
    int region_width, region_height;
    int left, top, width, height;  // the region pixels that blending may change
    int subsamples;            // n: each crop pixel is the mean of n x n samples
    int unused[4];
};

SHARED_CODE int clamped(int value, int last) { return value < 0 ? 0 : (value > last ? last : value); }

SHARED_CODE u8 level(float value) {
    float rounded = floorf(value + 0.5f);
    return rounded <= 0.0f ? 0 : (rounded >= 255.0f ? 255 : (u8)rounded);
}

// Keys' cubic with a = -0.75, as cv2.resize has it; t is the distance from the second of four samples.
SHARED_CODE void cubic_weights(float t, float w[4]) {
    const float a = -0.75f;
    float s = t + 1.0f, r = 1.0f - t;
    w[0] = ((a * s - 5.0f * a) * s + 8.0f * a) * s - 4.0f * a;
    w[1] = ((a + 2.0f) * t - (a + 3.0f)) * t * t + 1.0f;
    w[2] = ((a + 2.0f) * r - (a + 3.0f)) * r * r + 1.0f;
    w[3] = 1.0f - w[0] - w[1] - w[2];
}

// The warp at crop pixel (x, y): the coarse field [grid, grid, 2] enlarged to size x size.
SHARED_CODE void displacement(const float* field, int grid, int size, int x, int y, float* dx, float* dy) {
    float scale = (float)grid / (float)size;
    float gx = ((float)x + 0.5f) * scale - 0.5f, gy = ((float)y + 0.5f) * scale - 0.5f;
    int column = (int)floorf(gx), row = (int)floorf(gy);
    float wx[4], wy[4];
    cubic_weights(gx - (float)column, wx);
    cubic_weights(gy - (float)row, wy);
    float sum_x = 0.0f, sum_y = 0.0f;
    for (int j = 0; j < 4; ++j) {
        const float* line = field + 2 * grid * clamped(row - 1 + j, grid - 1);
        float line_x = 0.0f, line_y = 0.0f;
        for (int i = 0; i < 4; ++i) {
            const float* sample = line + 2 * clamped(column - 1 + i, grid - 1);
            line_x += wx[i] * sample[0];
            line_y += wx[i] * sample[1];
        }
        sum_x += wy[j] * line_x;
        sum_y += wy[j] * line_y;
    }
    *dx = sum_x;
    *dy = sum_y;
}

// Bilinear, the border going on beyond the edge; adds to rgb.
SHARED_CODE void add_sample(const u8* region, int width, int height, float x, float y, float rgb[3]) {
    int column = (int)floorf(x), row = (int)floorf(y);
    float fx = x - (float)column, fy = y - (float)row;
    const u8* upper = region + 3 * width * clamped(row, height - 1);
    const u8* lower = region + 3 * width * clamped(row + 1, height - 1);
    int here = 3 * clamped(column, width - 1), next = 3 * clamped(column + 1, width - 1);
    for (int c = 0; c < 3; ++c) {
        float above = (1.0f - fx) * (float)upper[here + c] + fx * (float)upper[next + c];
        float below = (1.0f - fx) * (float)lower[here + c] + fx * (float)lower[next + c];
        rgb[c] += (1.0f - fy) * above + fy * below;
    }
}

SHARED_CODE void crop_pixel(const Face* face, const u8* pool, const float* field, int grid, int size, int x, int y, u8* out) {
    float dx = 0.0f, dy = 0.0f;
    if (grid > 0) displacement(field, grid, size, x, y, &dx, &dy);
    const float* a = face->crop_to_region;
    const u8* region = pool + face->region_offset;
    int n = face->subsamples;
    float step = 1.0f / (float)n, rgb[3] = {0.0f, 0.0f, 0.0f};
    for (int j = 0; j < n; ++j) {
        float v = (float)y + dy + ((float)j + 0.5f) * step - 0.5f;
        for (int i = 0; i < n; ++i) {
            float u = (float)x + dx + ((float)i + 0.5f) * step - 0.5f;
            float px = a[0] * u + a[1] * v + a[2], py = a[3] * u + a[4] * v + a[5];
            add_sample(region, face->region_width, face->region_height, px, py, rgb);
        }
    }
    for (int c = 0; c < 3; ++c) out[c] = level(rgb[c] * step * step);
}

// How much of the drawing is shown at a crop pixel, 0 to 255: the matte within the window, and all of the face.
SHARED_CODE float shown(const u8* matte, int matte_step, const u8* window, const u8* hull, int place) {
    float head = matte_step > 0 ? (float)level((float)matte[place * matte_step] * (float)window[place] / 255.0f) : 0.0f;
    float face = (float)hull[place];
    return head > face ? head : face;
}

// Blends one region pixel, in place. cartoon: [size, size, channels]. matte: every matte_step-th byte, none where 0.
SHARED_CODE void blend_pixel(const Face* face, u8* pool, const u8* cartoon, int channels, const u8* matte, int matte_step,
                             const u8* window, const u8* hull, int size, int x, int y) {
    const float* a = face->region_to_crop;
    float u = a[0] * (float)x + a[1] * (float)y + a[2], v = a[3] * (float)x + a[4] * (float)y + a[5];
    if (!(u > -1.0f && v > -1.0f && u < (float)size && v < (float)size)) return;
    int column = (int)floorf(u), row = (int)floorf(v);
    float fu = u - (float)column, fv = v - (float)row;
    float weight = 0.0f, rgb[3] = {0.0f, 0.0f, 0.0f};
    for (int j = 0; j < 2; ++j) {
        for (int i = 0; i < 2; ++i) {
            int cx = column + i, cy = row + j;
            if (cx < 0 || cy < 0 || cx >= size || cy >= size) continue;
            int place = cy * size + cx;
            float share = (i ? fu : 1.0f - fu) * (j ? fv : 1.0f - fv) * shown(matte, matte_step, window, hull, place) / 255.0f;
            weight += share;
            for (int c = 0; c < 3; ++c) rgb[c] += share * (float)cartoon[place * channels + c];
        }
    }
    if (weight <= 0.0f) return;
    u8* pixel = pool + face->region_offset + 3 * (face->region_width * y + x);
    for (int c = 0; c < 3; ++c) pixel[c] = level((1.0f - weight) * (float)pixel[c] + rgb[c]);
}

// The negative, opaque: a drawing for tests and benchmarks that have no generator.
SHARED_CODE void stand_in_pixel(const u8* crop, int channels, u8* out) {
    for (int c = 0; c < 3; ++c) out[c] = (u8)(255 - crop[c]);
    if (channels == 4) out[3] = 255;
}

#ifdef __CUDACC__

// One thread a pixel; z is the face. crops: [faces, size, size, 3]. fields: [faces, grid, grid, 2]; grid 0 for none.
extern "C" __global__ void crop_faces(const Face* faces, const u8* pool, const float* fields, int grid, int size, u8* crops) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y, n = blockIdx.z;
    if (x >= size || y >= size) return;
    crop_pixel(faces + n, pool, fields + 2 * grid * grid * n, grid, size, x, y, crops + 3 * (size * (size * n + y) + x));
}

// Any number of blocks walks over the face's rectangle, whose size only the device knows: the launch is the same for
// every frame, as a CUDA graph wants it.
extern "C" __global__ void blend_face(const Face* faces, int index, u8* pool, const u8* cartoons, int channels,
                                      const u8* matte, int matte_step, int matte_stride, const u8* window,
                                      const u8* hulls, int size) {
    const Face* face = faces + index;
    int area = face->width * face->height;
    const u8* hull = hulls + size * size * index;
    const u8* cartoon = cartoons + channels * size * size * index;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < area; i += gridDim.x * blockDim.x)
        blend_pixel(face, pool, cartoon, channels, matte + matte_stride * index, matte_step, window, hull, size,
                    face->left + i % face->width, face->top + i / face->width);
}

extern "C" __global__ void stand_in_generator(const u8* crops, int pixels, int channels, u8* cartoons) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < pixels; i += gridDim.x * blockDim.x)
        stand_in_pixel(crops + 3 * i, channels, cartoons + channels * i);
}

#else

extern "C" {

void crop_faces(int count, const Face* faces, const u8* pool, const float* fields, int grid, int size, u8* crops) {
    for (int n = 0; n < count; ++n)
        for (int y = 0; y < size; ++y)
            for (int x = 0; x < size; ++x)
                crop_pixel(faces + n, pool, fields + 2 * grid * grid * n, grid, size, x, y,
                           crops + 3 * (size * (size * n + y) + x));
}

void blend_face(const Face* faces, int index, u8* pool, const u8* cartoons, int channels, const u8* matte, int matte_step,
                int matte_stride, const u8* window, const u8* hulls, int size) {
    const Face* face = faces + index;
    for (int i = 0; i < face->width * face->height; ++i)
        blend_pixel(face, pool, cartoons + channels * size * size * index, channels, matte + matte_stride * index,
                    matte_step, window, hulls + size * size * index, size, face->left + i % face->width,
                    face->top + i / face->width);
}

void stand_in_generator(const u8* crops, int pixels, int channels, u8* cartoons) {
    for (int i = 0; i < pixels; ++i) stand_in_pixel(crops + 3 * i, channels, cartoons + channels * i);
}
}

#endif
