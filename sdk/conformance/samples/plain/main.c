/* A plugin without an SDK: it reads a request and prints a response. */
#include <stdio.h>
#include <string.h>

int main(void) {
    static char request[65536];
    request[fread(request, 1, sizeof request - 1, stdin)] = 0;
    fprintf(stderr, "This is the log.\n");
    /* A real plugin would use a JSON parser; params has passed its schema, which
       allows only letters in a name. */
    char name[65] = "you", *found = strstr(request, "\"name\":\"");
    if (found)
        sscanf(found, "\"name\":\"%64[A-Za-z]", name);
    printf("{\"status_code\": 200, \"message\": \"Hello, %s.\"}\n", name);
    return 0;
}
