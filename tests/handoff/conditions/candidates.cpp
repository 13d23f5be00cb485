// A reader of our own, of a profile of our own: an array of structs, one number.
#include "host.h"

namespace l1x {
struct Candidate {
  ap_ufixed<14, 12> pt;
  ap_fixed<10, 4> eta;
  ap_int<9> phi;
};
}  // namespace l1x

int main(int count, char** arguments) {
  return host::main_of(count, arguments, 12, [](hls4mlEmulator::Model& model, const std::vector<double>& values) {
    l1x::Candidate given[4];
    for (int i = 0; i < 4; ++i) {
      given[i].pt = values[3 * i];
      given[i].eta = values[3 * i + 1];
      given[i].phi = static_cast<int>(values[3 * i + 2]);
    }
    ap_fixed<24, 16> result;
    model.prepare_input(given);
    model.predict();
    model.read_result(&result);
    std::cout << host::integer(result) << std::endl;
  });
}
