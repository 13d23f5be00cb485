// An imitation of AXOL1TLCondition::evaluateCondition, written from its public behaviour.
//
// Casts of the libraries that it is made for (cms-hls4ml/AXOL1TL@eea90ccb):
//   AXOL1TL_v4/GTADModel_emulator_v4.cpp:53  any_cast<unscaled_t*>                              ap_fixed<18,13>*
//   AXOL1TL_v4/GTADModel_emulator_v4.cpp:73  any_cast<pair<array<result_t,8>, resultsq_t>*>
//   AXOL1TL_v5/GTADModel_emulator_v5.cpp:47  any_cast<unscaled_t*>                              ap_fixed<18,13>*
//   AXOL1TL_v5/GTADModel_emulator_v5.cpp:71  any_cast<pair<result_t, resultsq_t>*>
// and what the condition passes (cms-sw/cmssw@026eec55, L1Trigger/L1TGlobal/src/AXOL1TLCondition.cc, and its later form
// for version 5): an ap_fixed<18,13>[57], the address of such a pair; the score is the loss times 16.
#pragma once

#include "host.h"

template <class RESULT>
int axol1tl(int count, char** arguments) {
  return host::main_of(count, arguments, 57, [](hls4mlEmulator::Model& model, const std::vector<double>& values) {
    typedef ap_fixed<18, 13> inputtype;
    typedef ap_ufixed<18, 14> losstype;
    inputtype given[57] = {};
    for (int i = 0; i < 57; ++i) given[i] = values[i];
    std::pair<RESULT, losstype> result;
    model.prepare_input(given);
    model.predict();
    model.read_result(&result);
    std::cout << static_cast<long long>(result.second.to_float() * 16.0f) << std::endl;
  });
}
