// The network of @LIBRARY@ in integers, written by codesign.
// Design (SHA-256): @HASH@
#ifndef CODESIGN_NETWORK_@GUARD@
#define CODESIGN_NETWORK_@GUARD@

#include <cstddef>
#include <cstdint>

namespace @NAMESPACE@ {

constexpr std::size_t INPUTS = @INPUTS@;
constexpr std::size_t OUTPUTS = @OUTPUTS@;

/// One event: INPUTS codes to OUTPUTS codes.
//
// inputs, in this order; the value of a code is code * 2**-fraction_bits:
@INPUT_TABLE@
//
// outputs, in this order:
@OUTPUT_TABLE@
void network(const std::int32_t* in, std::int32_t* out);

}  // namespace @NAMESPACE@

#endif
