// What the imitations of CMSSW's conditions share: a loader by name, the file of values, and how a failure is told.
// It follows the public behaviour of hls4mlEmulator::ModelLoader (cms-hls4ml/hls4mlEmulatorExtras@db92d84a,
// src/hls4ml/emulator.cc): dlopen(name + ".so", RTLD_LAZY | RTLD_LOCAL), create_model and destroy_model by dlsym.
#pragma once

#include <dlfcn.h>

#include <any>
#include <array>
#include <cmath>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "ap_fixed.h"
#include "ap_int.h"
#include "emulator.h"

namespace host {

inline std::shared_ptr<hls4mlEmulator::Model> load(const std::string& name) {
  void* library = dlopen((name + ".so").c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  auto* create = reinterpret_cast<hls4mlEmulator::create_model_cls*>(dlsym(library, "create_model"));
  auto* destroy = reinterpret_cast<hls4mlEmulator::destroy_model_cls*>(dlsym(library, "destroy_model"));
  if (create == nullptr || destroy == nullptr) throw std::runtime_error("no create_model or destroy_model");
  return {create(), [library, destroy](hls4mlEmulator::Model* model) {
            destroy(model);
            dlclose(library);
          }};
}

/// A number's own integer, of its value: exact, as no type here has more bits than a double.
template <class T>
long long integer(const T& number) {
  return std::llround(std::ldexp(number.to_double(), T::width - T::iwidth));
}

/// Calls `evaluate(model, values)` for each event of a file; 3 and one line where that throws. A fourth argument: the
/// loader is of the function alone, and the library unloaded before anybody reads what was thrown.
template <class Evaluate>
int main_of(int count, char** arguments, std::size_t inputs, Evaluate evaluate) {
  if (count < 3) return 2;
  std::shared_ptr<hls4mlEmulator::Model> kept;
  try {
    const auto model = load(arguments[1]);
    if (count == 3) kept = model;
    std::ifstream file(arguments[2]);
    std::size_t events = 0;
    file >> events;
    std::vector<double> values(inputs);
    for (std::size_t e = 0; e < events; ++e) {
      for (auto& value : values) file >> value;
      if (!file) return 2;
      evaluate(*model, values);
    }
  } catch (const std::exception& error) {
    std::cout << "ModelError: " << error.what() << std::endl;
    return 3;
  }
  return 0;
}

}  // namespace host
