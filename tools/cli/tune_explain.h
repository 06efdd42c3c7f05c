// Why prepare takes the plan it takes.
#pragma once

#include <string>

#include "output.h"
#include "tune/choose.h"
#include "tune_pair.h"

namespace sagejit::cli {

struct Explanation {
    const Config* config = nullptr;
    const Sizes* sizes = nullptr;
    ChosenPlan chosen;
    Plan standard;  // the generator's own choice
    Prediction predicted, standard_predicted;
};

// From the records alone; measures nothing.
Explanation explain(const TuneConfig& config, const Sizes& sizes, const TuningStore& store);

std::string explanation_text(const Explanation& explanation);
Json explanation_json(const Explanation& explanation);

}  // namespace sagejit::cli
