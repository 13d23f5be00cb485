// An imitation of TauNNIdHW::EvaluateNN, written from its public behaviour.
// Casts of its library (cms-hls4ml/NNPuppiTauModel@7a8f3541, NNPuppiTauModel_v1/NNPuppiTauModel_emulator_v1.cpp):
//   :20  any_cast<input_t*>   ap_fixed<16,10>*        :31  any_cast<pair<array<result_t,1>, array<result_t,1>>*>
// and what the identification passes (L1Trigger/Phase2L1ParticleFlow/src/taus/TauNNIdHW.cc): an array of 80.
#include "host.h"
int main(int count, char** arguments) {
  return host::main_of(count, arguments, 80, [](hls4mlEmulator::Model& model, const std::vector<double>& values) {
    typedef ap_fixed<16, 10> tauinput;
    typedef ap_fixed<16, 6> tauresult;
    tauinput given[80];
    for (int i = 0; i < 80; ++i) given[i] = values[i];
    std::pair<std::array<tauresult, 1>, std::array<tauresult, 1>> result;
    model.prepare_input(given);
    model.predict();
    model.read_result(&result);
    std::cout << host::integer(result.first[0]) << ' ' << host::integer(result.second[0]) << std::endl;
  });
}
