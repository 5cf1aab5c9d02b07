#ifndef BASE_UUID_H
#define BASE_UUID_H

#define UUID_TEXT_MAX 37

/* A random (version 4) UUID in lower case. Any thread. */
void uuid_make(char out[UUID_TEXT_MAX]);

#endif
