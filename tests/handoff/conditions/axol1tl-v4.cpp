#include "axol1tl.h"
int main(int count, char** arguments) {
  return axol1tl<std::array<ap_fixed<10, 7, AP_RND_CONV, AP_SAT>, 8>>(count, arguments);
}
