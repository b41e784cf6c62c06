/* ${name}_tables.h - constants of ${name}.c; generated, do not edit */
#ifndef ${NAME}_TABLES_H
#define ${NAME}_TABLES_H

#include <stdint.h>

${externs}

#endif
