
void ts_native_forget(void);
size_t ts_native_export(uint8_t *y);
int32_t ts_native_restore(const uint8_t *x, size_t bytes);

void ts_native_forget(void)
{
    ${name}_forget();
}

size_t ts_native_export(uint8_t *y)
{
    return ${name}_export(y);
}

int32_t ts_native_restore(const uint8_t *x, size_t bytes)
{
    return (int32_t)${name}_restore(x, bytes);
}
