// Tests of @LIBRARY@, written by codesign; they need nothing but a compiler: doModelLoad, doMultiModelLoad,
// doPredictSanity, doWrongType. Run with test/golden.txt: events of the producer's raw integers and of the result's.
#include <dlfcn.h>

#include <any>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "NN/types.h"
#include "emulator.h"

using namespace @NAMESPACE@;

namespace {

void require(bool true_, const std::string& what) {
  if (!true_) throw std::runtime_error(what);
}

/// A library by its name, and a model of it, as CMSSW's loader holds them.
class Loaded {
 public:
  explicit Loaded(const std::string& name) : library_(dlopen((name + ".so").c_str(), RTLD_LAZY | RTLD_LOCAL)) {
    if (library_ == nullptr) throw std::runtime_error(std::string("cannot be loaded: ") + dlerror());
    auto* create = reinterpret_cast<hls4mlEmulator::Model* (*)()>(dlsym(library_, "create_model"));
    destroy_ = reinterpret_cast<void (*)(hls4mlEmulator::Model*)>(dlsym(library_, "destroy_model"));
    require(create != nullptr && destroy_ != nullptr, "no create_model or destroy_model");
    model_ = create();
  }
  ~Loaded() {
    if (model_ != nullptr) destroy_(model_);
    if (library_ != nullptr) dlclose(library_);
  }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;
  hls4mlEmulator::Model* operator->() const { return model_; }

 private:
  void* library_;
  hls4mlEmulator::Model* model_ = nullptr;
  void (*destroy_)(hls4mlEmulator::Model*) = nullptr;
};

const std::string LIBRARY = "@LIBRARY@";

void fill(input_t* items, const std::int64_t* raw) {
  for (std::size_t i = 0; i < ITEMS; ++i) {
@FILLS@
  }
}

std::vector<std::int64_t> numbers_of(const result_t& result) {
  std::vector<std::int64_t> raw;
@NUMBERS_OF@
  return raw;
}

std::vector<std::int64_t> predicted(const Loaded& model, const std::int64_t* raw) {
  std::vector<input_t> items(ITEMS);
  fill(items.data(), raw);
  result_t result;
  model->prepare_input(items.data());
  model->predict();
  model->read_result(&result);
  return numbers_of(result);
}

void doModelLoad() { Loaded model(LIBRARY); }

void doMultiModelLoad() {
  const Loaded one(LIBRARY), other(LIBRARY);
  const std::vector<std::int64_t> raw(RAWS, 0);
  require(predicted(one, raw.data()) == predicted(other, raw.data()), "two models of one library differ");
}

std::size_t doPredictSanity(const char* path) {
  std::ifstream file(path);
  std::size_t events = 0;
  require(static_cast<bool>(file >> events) && events > 0, "no golden events");
  const Loaded model(LIBRARY);
  std::vector<std::int64_t> raw(RAWS), expected(NUMBERS);
  for (std::size_t e = 0; e < events; ++e) {
    for (auto& value : raw) require(static_cast<bool>(file >> value), "golden.txt ends early");
    for (auto& value : expected) require(static_cast<bool>(file >> value), "golden.txt ends early");
    require(predicted(model, raw.data()) == expected, "event " + std::to_string(e) + " is not the golden one");
  }
  return events;
}

void doWrongType() {
  std::vector<int> wrong(RAWS);
  for (const bool reading : {false, true}) {
    try {
      const Loaded model(LIBRARY);  // unloaded before the message is read
      if (reading) {
        model->read_result(wrong.data());
      } else {
        model->prepare_input(wrong.data());
      }
    } catch (const std::invalid_argument& error) {
      require(std::string(error.what()).find(LIBRARY) != std::string::npos, "the message does not name the library");
      continue;
    }
    throw std::runtime_error("another type is taken");
  }
}

}  // namespace

int main(int count, char** arguments) {
  try {
    require(count == 2, "give the path of golden.txt");
    doModelLoad();
    doMultiModelLoad();
    const auto events = doPredictSanity(arguments[1]);
    doWrongType();
    std::cout << "PASS: " << LIBRARY << ", " << events << " events" << std::endl;
  } catch (const std::exception& error) {
    std::cout << "FAIL: " << LIBRARY << ": " << error.what() << std::endl;
    return 1;
  }
  return 0;
}
