/*
 * brotli, loaded with the first file that is in that form (library.h): its two
 * libraries, and the only door to them.
 */
#ifndef LIBBROTLI_H
#define LIBBROTLI_H

#include <brotli/decode.h>
#include <brotli/encode.h>

#include "base/library.h"

#define LIBBROTLI_ENCODER(DO) \
	DO(BrotliEncoderCompressStream) DO(BrotliEncoderCreateInstance) \
	DO(BrotliEncoderDestroyInstance) DO(BrotliEncoderHasMoreOutput) \
	DO(BrotliEncoderIsFinished) DO(BrotliEncoderSetParameter)
#define LIBBROTLI_DECODER(DO) \
	DO(BrotliDecoderCreateInstance) DO(BrotliDecoderDecompressStream) \
	DO(BrotliDecoderDestroyInstance) DO(BrotliDecoderErrorString) \
	DO(BrotliDecoderGetErrorCode)

/* Their functions, by their names; null until they are loaded. */
extern struct libbrotlienc {
	LIBBROTLI_ENCODER(LIBRARY_MEMBER)
} be;
extern struct libbrotlidec {
	LIBBROTLI_DECODER(LIBRARY_MEMBER)
} bd;

/* 0, or -1 with ERR_FAILED when it is not installed; as library_load(). */
int libbrotlienc_load(struct err *e) MUST_USE;
int libbrotlidec_load(struct err *e) MUST_USE;

#endif
