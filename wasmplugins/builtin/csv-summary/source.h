/* Where the table comes from. */
#ifndef SOURCE_H
#define SOURCE_H

#include "../../../sdk/c/octopus.h"

#include "csv.h"

/* source_piece feeds a piece; of the first it leaves out a byte order mark,
 * and guesses the delimiter from it where that is 0. */
void source_piece(csv *c, const char *text, size_t size);

/* source_file feeds a file of the machine. It is false where that cannot be
 * read; o->error says why. */
bool source_file(octopus *o, const char *path, csv *c);

#endif
