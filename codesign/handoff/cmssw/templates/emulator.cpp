// Emulator @LIBRARY@ for CMSSW, written by codesign: a bit-exact network behind the types of its producer.
// Design (SHA-256): @HASH@
#include <algorithm>
#include <any>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <typeinfo>

#include "NN/@LIBRARY@.h"
#include "NN/types.h"
#include "emulator.h"

namespace @NAMESPACE@ {
namespace {

/// How an input's raw integer becomes its code: clip((raw + added) >> shift), or counted in a table.
struct CodeRule {
  std::int64_t wrap;  // a full turn, 0 for none
  std::int64_t added;
  int shift;
  std::int64_t low, high;
  int first, count;  // entries of THRESHOLDS, -1 for a shift
};

/// The smallest raw integer of each code but the lowest.
constexpr std::int64_t THRESHOLDS[] = {@THRESHOLDS@};

constexpr CodeRule RULES[] = {
@RULES@
};

/// Which rule each input has.
constexpr std::uint16_t RULE_OF[INPUTS] = {@RULE_OF@};

/// A raw integer within half a turn about 0.
std::int64_t turned(std::size_t place, std::int64_t raw) {
  const std::int64_t wrap = RULES[RULE_OF[place]].wrap;
  if (wrap == 0) return raw;
  raw = (raw + wrap / 2) % wrap;
  return (raw < 0 ? raw + wrap : raw) - wrap / 2;
}

std::int32_t code_of(std::size_t place, std::int64_t raw) {
  const CodeRule& rule = RULES[RULE_OF[place]];
  if (rule.first >= 0) {
    const auto* first = THRESHOLDS + rule.first;
    return static_cast<std::int32_t>(rule.low + (std::upper_bound(first, first + rule.count, raw) - first));
  }
  return static_cast<std::int32_t>(std::clamp((raw + rule.added) >> rule.shift, rule.low, rule.high));
}

/// What was given and what is taken. A class of the standard library's own: where a loader goes out of scope before the
/// message is read, this library is unloaded, and with it every class and function of its own.
[[noreturn]] void refuse(const char* function, const char* takes, const std::any& given) {
  throw std::invalid_argument(std::string("@LIBRARY@: ") + function + " takes " + takes + ", and was given " +
                              given.type().name() +
                              " (as the compiler names it): load the library of the version that this code is for");
}

}  // namespace

class @CLASS@ final : public hls4mlEmulator::Model {
 public:
  void prepare_input(std::any input) override {
    const input_t* items = nullptr;
    if (auto* const* own = std::any_cast<input_t*>(&input)) {
      items = *own;
    } else if (auto* const* fixed = std::any_cast<const input_t*>(&input)) {
      items = *fixed;
    } else {
      refuse("prepare_input", "@INPUT_TYPE@*", input);
    }
    std::array<std::int64_t, INPUTS> raw;
    for (std::size_t i = 0; i < ITEMS; ++i) {
@READS@
    }
    for (std::size_t i = 0; i < INPUTS; ++i) {
      raw[i] = turned(i, raw[i]);
      codes_[i] = code_of(i, raw[i]);
    }
@ABSENT@  }

  void predict() override { network(codes_.data(), found_.data()); }

  void read_result(std::any result) override {
    auto* const* to = std::any_cast<result_t*>(&result);
    if (to == nullptr) refuse("read_result", "@RESULT_TYPE@*", result);
@WRITES@
  }

 private:
  std::array<std::int32_t, INPUTS> codes_{};
  std::array<std::int32_t, OUTPUTS> found_{};
};

}  // namespace @NAMESPACE@

#define VISIBLE __attribute__((visibility("default")))

extern "C" VISIBLE hls4mlEmulator::Model* create_model() { return new @NAMESPACE@::@CLASS@; }

extern "C" VISIBLE void destroy_model(hls4mlEmulator::Model* model) { delete model; }
