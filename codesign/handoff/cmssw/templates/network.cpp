// The network of @LIBRARY@, written by codesign. Every integer is as wide as its proven bounds need: none overflows.
#include "@LIBRARY@.h"

// compilers need more than proportional time for what they made one function of
#if defined(__GNUC__)
#define APART __attribute__((noinline))
#else
#define APART
#endif

namespace @NAMESPACE@ {
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

}  // namespace

void network(const std::int32_t* in, std::int32_t* out) {
  Block<1> block;
  run(block, in, out);
}

}  // namespace @NAMESPACE@
