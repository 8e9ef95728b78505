#include "model/openmp_team.h"

#ifdef _OPENMP  // not under a sanitizer
#include <omp.h>
#endif

namespace polyphon {

void release_openmp_team() {
#ifdef _OPENMP
  omp_pause_resource_all(omp_pause_soft);
#endif
}

}  // namespace polyphon
