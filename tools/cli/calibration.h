// Accuracy and cost of every class of attention on captured layers, and which one each layer takes:
// the adaptive quantization of SageAttention (arXiv 2410.02367, section 4.5).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "accuracy.h"
#include "attention_call.h"
#include "config_file.h"

namespace sagejit::cli {

// A way to compute attention: granularity, smoothing, type of P*V and its accumulation.
struct AccuracyClass {
    std::string name;  // "thread", "block int8", "token fp16 sums, not smoothed"
    Config config;
};

// A class that cannot be had, and why.
struct SkippedClass {
    std::string name, reason;
};

struct ClassList {
    std::vector<AccuracyClass> classes;  // first the base config itself, "config"
    std::vector<SkippedClass> skipped;
};

// Every class of the base config: it gives head dimensions, types, mask and tiles. Those that this
// version, or the target, does not know are left out; kernels that are alike appear once.
ClassList accuracy_classes(const Config& base, const Target& target);

struct ClassResult {
    size_t index = 0;  // of the class
    Metrics o;
    double worst_head_cosine = 1;
    double milliseconds = 0;  // of a whole call
};

struct LayerResult {
    std::string layer;
    std::string file;
    Shape shape;
    std::vector<ClassResult> classes;  // in the order of the classes
    size_t chosen = 0;                 // index into it
    bool passed = false;               // the chosen one is above the threshold
};

struct CalibrationOptions {
    double threshold = 0.998;
    bool worst_head = false;  // judge a layer by its worst head instead of by all heads at once
    std::optional<double> logit_scale;
};

struct Calibration {
    ClassList list;
    std::vector<Kernel> kernels;  // one a class
    CalibrationOptions options;
    bool measured = false;  // milliseconds are of a GPU; else estimates
    std::vector<LayerResult> layers;

    bool passed() const;
    // What a layer is judged by.
    double score(const ClassResult& result) const;
    // Time of the base config over that of the chosen class.
    double gain(const LayerResult& layer) const;
};

// Runs every class on one layer, measures, and chooses: the fastest of those above the threshold;
// where there is none, the most accurate.
LayerResult calibrate_layer(const Calibration& calibration, const InputFile& input);

Json calibration_json(const Calibration& calibration);
// What parse_layer_plan reads, with the numbers behind each choice.
std::string layer_plan_text(const Calibration& calibration);
std::string calibration_html(const Calibration& calibration, const Json& data);

}  // namespace sagejit::cli
