// Bit-exact emulator @LIBRARY@, written by codesign.
// Design (SHA-256): @HASH@
#ifndef @GUARD@
#define @GUARD@

#include <array>
#include <cstddef>
#include <cstdint>

#include "emulator.h"

namespace @LIBRARY@ {

constexpr std::size_t INPUTS = @INPUTS@;
constexpr std::size_t OUTPUTS = @OUTPUTS@;

// Integer codes; the value of a code is code * 2**-fraction_bits. Of an input, the bits of its type count, as on the
// firmware's port.
//
// inputs, in this order:
@INPUT_TABLE@
//
// outputs, in this order:
@OUTPUT_TABLE@
using Input = std::array<std::int32_t, INPUTS>;
using Output = std::array<std::int32_t, OUTPUTS>;
@BLOCKS@@TRIGGER@
/// The std::any of prepare_input holds an Input, or a (const) std::int32_t* to the first of INPUTS codes.
/// The std::any of read_result holds an Output*, or a std::int32_t* to the first of OUTPUTS codes: it is written there.
/// Any other content throws std::bad_any_cast.
class Emulator final : public hls4mlEmulator::Model {
 public:
  void prepare_input(std::any input) override;
  void predict() override;
  void read_result(std::any result) override;

 private:
  Input input_{};
  Output output_{};
};

}  // namespace @LIBRARY@

extern "C" {
hls4mlEmulator::Model* create_model();
void destroy_model(hls4mlEmulator::Model* model);

/// Many events at once: `in` is (events, INPUTS), `out` (events, OUTPUTS), both row by row. Any number of threads.
void codesign_predict(const std::int32_t* in, std::int32_t* out, std::size_t events);

/// The same, event by event through create_model and std::any; 0, or 1 where an exception was thrown.
int codesign_predict_any(const std::int32_t* in, std::int32_t* out, std::size_t events);

std::size_t codesign_inputs();
std::size_t codesign_outputs();
const char* codesign_design();
}

#endif
