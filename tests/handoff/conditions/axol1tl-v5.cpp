#include "axol1tl.h"
int main(int count, char** arguments) {
  return axol1tl<ap_fixed<18, 14, AP_RND_CONV, AP_SAT>>(count, arguments);
}
