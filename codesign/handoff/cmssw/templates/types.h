// What @LIBRARY@ is given and gives, in C++ types; written by codesign.
#ifndef CODESIGN_TYPES_@GUARD@
#define CODESIGN_TYPES_@GUARD@

#include <array>
#include <cstdint>
#include <utility>

#include "ap_fixed.h"
#include "ap_int.h"

@STRUCT@namespace @NAMESPACE@ {

/// prepare_input is given an input_t* to the first of ITEMS.
using input_t = @INPUT_TYPE@;
/// read_result is given a result_t*.
using result_t = @RESULT_TYPE@;

constexpr std::size_t ITEMS = @ITEMS@;
/// Numbers of all items, and of a result.
constexpr std::size_t RAWS = @RAWS@;
constexpr std::size_t NUMBERS = @NUMBERS@;

template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
constexpr bool is_signed(const ap_fixed<W, I, Q, O, N>*) {
  return true;
}
template <int W>
constexpr bool is_signed(const ap_int<W>*) {
  return true;
}
constexpr bool is_signed(const void*) { return false; }

/// A number's own integer: its value is that times 2**-(width - integer bits).
template <class T>
std::int64_t raw_of(const T& number) {
  constexpr int WIDTH = T::width;
  const std::uint64_t bits = number.range(WIDTH - 1, 0).to_uint64() & ((std::uint64_t{1} << WIDTH) - 1);
  const std::uint64_t sign = is_signed(static_cast<const T*>(nullptr)) ? std::uint64_t{1} << (WIDTH - 1) : 0;
  return static_cast<std::int64_t>(bits ^ sign) - static_cast<std::int64_t>(sign);
}

template <class T>
void set_raw(T& number, std::int64_t raw) {
  number.range(T::width - 1, 0) = ap_uint<T::width>(static_cast<std::uint64_t>(raw));
}

}  // namespace @NAMESPACE@

#endif
