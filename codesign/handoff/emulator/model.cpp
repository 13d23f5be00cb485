// Bit-exact emulator @LIBRARY@, written by codesign. Every integer is as wide as its proven bounds need: none overflows.
#include "@LIBRARY@.h"

#include <algorithm>
#include <memory>

// compilers need more than proportional time for what they made one function of
#if defined(__GNUC__)
#define APART __attribute__((noinline))
#else
#define APART
#endif

namespace @LIBRARY@ {
namespace {

/// The low bits of a code, as a port of that width carries them.
template <int WIDTH, bool SIGNED>
constexpr std::int32_t wrap(std::int32_t code) {
  if constexpr (WIDTH == 0) {
    return 0;
  } else if constexpr (WIDTH >= 32) {
    return code;
  } else {
    const std::uint32_t mask = (std::uint32_t{1} << WIDTH) - 1;
    const std::uint32_t sign = SIGNED ? std::uint32_t{1} << (WIDTH - 1) : 0;
    return static_cast<std::int32_t>((static_cast<std::uint32_t>(code) & mask) ^ sign) -
           static_cast<std::int32_t>(sign);
  }
}

@KERNEL@

constexpr std::size_t BLOCK = 128;

void batch(const std::int32_t* in, std::int32_t* out, std::size_t events) {
  const std::unique_ptr<Block<BLOCK>> block(new Block<BLOCK>);
  std::size_t done = 0;
  for (; events - done >= BLOCK; done += BLOCK) run(*block, in + done * INPUTS, out + done * OUTPUTS);
  if (done == events) return;
  // the rest, filled up with the code 0, which every type has
  const std::size_t rest = events - done;
  const std::unique_ptr<std::int32_t[]> some_in(new std::int32_t[BLOCK * INPUTS]());
  const std::unique_ptr<std::int32_t[]> some_out(new std::int32_t[BLOCK * OUTPUTS]);
  std::copy_n(in + done * INPUTS, rest * INPUTS, some_in.get());
  run(*block, some_in.get(), some_out.get());
  std::copy_n(some_out.get(), rest * OUTPUTS, out + done * OUTPUTS);
}

}  // namespace

void Emulator::prepare_input(std::any input) {
  if (const auto* codes = std::any_cast<Input>(&input)) {
    input_ = *codes;
  } else if (auto* const* first = std::any_cast<std::int32_t*>(&input)) {
    std::copy_n(*first, INPUTS, input_.begin());
  } else {
    std::copy_n(std::any_cast<const std::int32_t*>(input), INPUTS, input_.begin());
  }
}

void Emulator::predict() {
  Block<1> block;
  run(block, input_.data(), output_.data());
}

void Emulator::read_result(std::any result) {
  if (auto* const* first = std::any_cast<std::int32_t*>(&result)) {
    std::copy(output_.begin(), output_.end(), *first);
  } else {
    *std::any_cast<Output*>(result) = output_;
  }
}

}  // namespace @LIBRARY@

extern "C" {

hls4mlEmulator::Model* create_model() { return new @LIBRARY@::Emulator; }

void destroy_model(hls4mlEmulator::Model* model) { delete model; }

void codesign_predict(const std::int32_t* in, std::int32_t* out, std::size_t events) {
  @LIBRARY@::batch(in, out, events);
}

int codesign_predict_any(const std::int32_t* in, std::int32_t* out, std::size_t events) {
  using namespace @LIBRARY@;
  try {
    const std::unique_ptr<hls4mlEmulator::Model, void (*)(hls4mlEmulator::Model*)> model(create_model(), destroy_model);
    for (std::size_t e = 0; e < events; ++e) {
      Input input;
      Output output;
      std::copy_n(in + e * INPUTS, INPUTS, input.begin());
      model->prepare_input(input);
      model->predict();
      model->read_result(&output);
      std::copy(output.begin(), output.end(), out + e * OUTPUTS);
    }
    return 0;
  } catch (...) {
    return 1;
  }
}

std::size_t codesign_inputs() { return @LIBRARY@::INPUTS; }
std::size_t codesign_outputs() { return @LIBRARY@::OUTPUTS; }
const char* codesign_design() { return @HASH_STRING@; }
}
