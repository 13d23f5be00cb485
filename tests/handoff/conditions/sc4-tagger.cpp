// An imitation of L1TSC4NGJetID::EvaluateNNFixed, written from its public behaviour.
// Casts of its library (cms-hls4ml/L1TSC4NGJetModel@862d282b, L1TSC4NGJetModel_v0/L1TSC4NGJetModel_emulator_v0.cpp):
//   :22  any_cast<input_t*>                                      ap_fixed<24,12,AP_RND,AP_SAT>*
//   :38  any_cast<pair<array<layer24_t,1>, array<layer22_t,8>>*>
// and what the tagger passes (L1Trigger/Phase2L1ParticleFlow, L1TSC4NGJetID: inputtype, pairtype): an array of 320.
#include "host.h"
int main(int count, char** arguments) {
  return host::main_of(count, arguments, 320, [](hls4mlEmulator::Model& model, const std::vector<double>& values) {
    typedef ap_fixed<24, 12, AP_RND, AP_SAT, 0> inputtype;
    typedef std::array<ap_ufixed<24, 12, AP_RND, AP_SAT, 0>, 8> classtype;
    typedef std::array<ap_fixed<16, 6>, 1> regressiontype;
    inputtype given[320] = {};
    for (int i = 0; i < 320; ++i) given[i] = values[i];
    std::pair<regressiontype, classtype> result;
    model.prepare_input(given);
    model.predict();
    model.read_result(&result);
    std::cout << host::integer(result.first[0]);
    for (const auto& score : result.second) std::cout << ' ' << host::integer(score);
    std::cout << std::endl;
  });
}
