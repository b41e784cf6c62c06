/* ${name}_tables.c - constants of ${name}.c; generated, do not edit */
#include "${name}_tables.h"
#include "${name}.h"

#if ${NAME}_DEFINITION_32 != ${definition_32}
#error ${name}.h is of another definition than this file. Take both from one emission.
#endif

${arrays}
