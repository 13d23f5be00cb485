// The interface of CMSSW's hls4mlEmulatorExtras, for where its own header is not on the include path.
#ifndef CODESIGN_HLS4ML_EMULATOR_INTERFACE
#define CODESIGN_HLS4ML_EMULATOR_INTERFACE

#if __has_include("hls4ml/emulator.h")
#include "hls4ml/emulator.h"
#else

#include <any>

namespace hls4mlEmulator {

class Model {
 public:
  virtual void prepare_input(std::any input) = 0;
  virtual void predict() = 0;
  virtual void read_result(std::any result) = 0;
  virtual ~Model() = default;
};

}  // namespace hls4mlEmulator

#endif
#endif
