// An imitation of L1TCaloSummary::produce, written from its public behaviour.
// Casts of its library (cms-hls4ml/CICADA@0aafbd2c, CICADA_v2p2p0/caloADModel_v2p2p0.cpp):
//   :15  any_cast<input_t*>   ap_uint<10>*        :27  any_cast<result_t*>   ap_ufixed<16,8,AP_RND_CONV,AP_SAT>*
// and what the producer passes (L1Trigger/L1TCaloLayer1/plugins/L1TCaloSummary.cc, its X.1.2 typing): an array of 252,
// and an array of one result.
#include "host.h"
int main(int count, char** arguments) {
  return host::main_of(count, arguments, 252, [](hls4mlEmulator::Model& model, const std::vector<double>& values) {
    ap_uint<10> given[252];
    for (int i = 0; i < 252; ++i) given[i] = static_cast<unsigned>(values[i]);
    ap_ufixed<16, 8, AP_RND_CONV, AP_SAT> result[1] = {0.0};
    model.prepare_input(given);
    model.predict();
    model.read_result(result);
    std::cout << host::integer(result[0]) << std::endl;
  });
}
