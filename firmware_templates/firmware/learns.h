
#define TS_LEARNS                               /* what it learns outlives a reset */
#define TS_LEARNT_BYTES         ${NAME}_LEARNT_BYTES
#define ts_app_forget           ${name}_forget
#define ts_app_export           ${name}_export
#define ts_app_restore          ${name}_restore
