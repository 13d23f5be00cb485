// An imitation of TOPOCondition::evaluateCondition, written from its public behaviour.
// Casts of its library (cms-hls4ml/TOPO@1e9a692c, TOPO_HHbbWW_1mu_v1/topo_emulator_HHbbWW_1mu_v1.cpp):
//   :28  any_cast<unscaled_t*>   ap_fixed<23,23>*        :39  any_cast<result_t*>   ap_fixed<16,6>*
// and what the condition passes (cms-sw/cmssw, L1Trigger/L1TGlobal/src/TOPOCondition.cc, in its form with 20 inputs).
#include "host.h"
int main(int count, char** arguments) {
  return host::main_of(count, arguments, 20, [](hls4mlEmulator::Model& model, const std::vector<double>& values) {
    ap_fixed<23, 23> given[20];
    for (int i = 0; i < 20; ++i) given[i] = values[i];
    ap_fixed<16, 6> loss;
    model.prepare_input(given);
    model.predict();
    model.read_result(&loss);
    std::cout << host::integer(loss) << std::endl;
  });
}
