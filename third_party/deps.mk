# Static libraries from the pinned sources.  No cmake, no autotools: every
# library here is a handful of C/C++ files, so plain rules give parallelism
# across libraries, one set of flags, and reproducible archives.
#
# Included by the top-level Makefile, which provides the target `packages`, the
# function `remember`, the command prefix Q and may set:
#   DEPS_OUT (build/third_party)   ARCH (uname -m)   MARCH (x86-64-v2)

DEPS_DIR := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
DEPS_OUT ?= build/third_party
ARCH     ?= $(shell uname -m)
MARCH    ?= $(if $(filter x86_64,$(ARCH)),x86-64-v2)
DEPS_SRC := $(DEPS_OUT)/src
DEPS_OBJ := $(DEPS_OUT)/obj
DEPS_LIB := $(DEPS_OUT)/lib

# What the processor allows, and the hardening: shared with the product's own code.
ARCH_FLAGS := $(if $(MARCH),-march=$(MARCH)) $(if $(filter x86_64,$(ARCH)),-mtune=generic -fcf-protection)
CODE_FLAGS := $(ARCH_FLAGS) -fPIE -pthread -ffunction-sections -fdata-sections -fno-plt \
  -fstack-protector-strong -fstack-clash-protection -ffile-prefix-map=$(CURDIR)=.
# On the path of a knock each object holds its code twice, once for link-time optimization: only the
# product is linked with that (docs/adr/0026). wolfSSL's has it not: it stays as its own tests saw it.
FOR_LTO := -flto=auto -ffat-lto-objects
DEPS_COMMON := $(CODE_FLAGS) -O2 -g1 -D_FORTIFY_SOURCE=2 -DNDEBUG -fno-strict-overflow
DEPS_CFLAGS   := -std=gnu11 $(DEPS_COMMON) -w
DEPS_CXXFLAGS := -std=c++20 $(DEPS_COMMON) -w

# Two layouts: the libllhttp-source package (tier 0) or llhttp's own tree.
ifeq ($(or $(DEPS_TIER_llhttp),$(DEPS_TIER),0),1)
LLHTTP_INC := $(DEPS_SRC)/llhttp/build
LLHTTP_C   := build/c/llhttp.c src/native/api.c src/native/http.c
else
LLHTTP_INC := $(DEPS_SRC)/llhttp/usr/src/llhttp/include
LLHTTP_C   := $(addprefix usr/src/llhttp/src/,llhttp.c api.c http.c)
endif

# ---- what the product compiles and links against ---------------------------
DEPS_INC := -isystem $(DEPS_SRC)/libuv/include -isystem $(LLHTTP_INC) \
  -isystem $(DEPS_SRC)/nghttp2/lib/includes -isystem $(DEPS_OBJ)/nghttp2/includes -DNGHTTP2_STATICLIB \
  -isystem $(DEPS_SRC)/wolfssl -isystem $(DEPS_DIR)/wolfssl -DWOLFSSL_USER_SETTINGS \
  -isystem $(DEPS_SRC)/lmdb/libraries/liblmdb -isystem $(DEPS_SRC)/simdjson/singleheader \
  -isystem $(DEPS_SRC)/tomlplusplus/usr/include -isystem $(DEPS_SRC)/argon2/include \
  -isystem $(DEPS_SRC)/mimalloc/include
DEPS_TEST_INC  := -isystem $(DEPS_SRC)/catch2/extras
DEPS_BENCH_INC := -isystem $(DEPS_SRC)/hdrhistogram/include
# In link order; the product takes all of them, a unit test those of its modules.
DEPS_LIB_NAMES := uv llhttp nghttp2 wolfssl argon2 lmdb simdjson
DEPS_LIBS      := $(DEPS_LIB_NAMES:%=$(DEPS_LIB)/lib%.a)
# Linked as an object, first, so that malloc/free/new/delete resolve to it.
MIMALLOC_O := $(DEPS_OBJ)/mimalloc/static.o
CATCH2_A   := $(DEPS_LIB)/libcatch2.a
HDR_A      := $(DEPS_LIB)/libhdrhistogram.a

# ---- fetch ------------------------------------------------------------------
# Three groups, so that a plain `make` needs nothing that only tests or
# measurements use.  The stamp's name carries the tiers asked for, so that
# changing one fetches again.
DEPS_product := libuv llhttp nghttp2 wolfssl lmdb simdjson mimalloc tomlplusplus argon2
DEPS_test    := catch2
DEPS_bench   := hdrhistogram
TIERS   := $(subst $() $(),-,$(strip $(or $(DEPS_TIER),0) $(foreach n,llhttp nghttp2 wolfssl,$(if $(DEPS_TIER_$(n)),$(n)$(DEPS_TIER_$(n))))))
FETCHED       := $(DEPS_OUT)/.fetched-product-$(TIERS)
FETCHED_TEST  := $(DEPS_OUT)/.fetched-test-$(TIERS)
FETCHED_BENCH := $(DEPS_OUT)/.fetched-bench-$(TIERS)
$(DEPS_OUT)/.fetched-%-$(TIERS): $(DEPS_DIR)/pins.list $(DEPS_DIR)/fetch.sh | packages
	$(Q)$(DEPS_DIR)/fetch.sh -o $(DEPS_OUT) $(DEPS_$*)
	@rm -f $(DEPS_OUT)/.fetched-$*-*; touch $@

# Sources exist only after the fetch; this makes them depend on it.
$(DEPS_SRC)/catch2/%: $(FETCHED_TEST) ;
$(DEPS_SRC)/hdrhistogram/%: $(FETCHED_BENCH) ;
$(DEPS_SRC)/%: $(FETCHED) ;
# What every object of ours that may include a third-party header waits for.
DEPS_READY := $(FETCHED) $(DEPS_OBJ)/nghttp2/includes/nghttp2/nghttp2ver.h $(DEPS_DIR)/wolfssl/user_settings.h

# ---- file lists --------------------------------------------------------------
UV_C := $(addprefix src/,fs-poll.c idna.c inet.c random.c strscpy.c strtok.c \
  thread-common.c threadpool.c timer.c uv-common.c uv-data-getter-setters.c version.c) \
  $(addprefix src/unix/,async.c core.c dl.c fs.c getaddrinfo.c getnameinfo.c \
  loop-watcher.c loop.c pipe.c poll.c process.c random-devurandom.c signal.c \
  stream.c tcp.c thread.c tty.c udp.c proctitle.c linux.c procfs-exepath.c \
  random-getentropy.c random-getrandom.c random-sysctl-linux.c)
UV_D := -D_GNU_SOURCE -D_POSIX_C_SOURCE=200112 -D_FILE_OFFSET_BITS=64 -D_LARGEFILE_SOURCE \
  -I$(DEPS_SRC)/libuv/include -I$(DEPS_SRC)/libuv/src

NGHTTP2_C := $(addprefix lib/,nghttp2_pq.c nghttp2_map.c nghttp2_queue.c nghttp2_frame.c \
  nghttp2_buf.c nghttp2_stream.c nghttp2_outbound_item.c nghttp2_session.c nghttp2_submit.c \
  nghttp2_helper.c nghttp2_alpn.c nghttp2_hd.c nghttp2_hd_huffman.c nghttp2_hd_huffman_data.c \
  nghttp2_version.c nghttp2_priority_spec.c nghttp2_option.c nghttp2_callbacks.c nghttp2_mem.c \
  nghttp2_http.c nghttp2_rcbuf.c nghttp2_extpri.c nghttp2_ratelim.c nghttp2_time.c \
  nghttp2_debug.c sfparse.c)
NGHTTP2_D := -DNGHTTP2_STATICLIB -DBUILDING_NGHTTP2 -DHAVE_ARPA_INET_H -DHAVE_NETINET_IN_H \
  -DHAVE_CLOCK_GETTIME -DHAVE_DECL_CLOCK_MONOTONIC=1 -D_GNU_SOURCE \
  -I$(DEPS_SRC)/nghttp2/lib/includes -I$(DEPS_OBJ)/nghttp2/includes -I$(DEPS_SRC)/nghttp2/lib

# wolfCrypt files not named here compile to nothing with our user_settings.h.
WOLF_C := $(addprefix src/,internal.c wolfio.c keys.c ssl.c tls.c ocsp.c) \
  $(addprefix wolfcrypt/src/,aes.c asn.c chacha.c chacha20_poly1305.c coding.c cpuid.c \
  curve25519.c des3.c ecc.c ed25519.c error.c fe_operations.c ge_operations.c hash.c hmac.c kdf.c \
  logging.c memory.c pkcs12.c poly1305.c pwdbased.c random.c rc2.c rsa.c sha.c sha256.c sha512.c \
  signature.c sp_int.c sp_c32.c sp_c64.c sp_x86_64.c wc_encrypt.c wc_port.c wolfmath.c cmac.c)
WOLF_D := -DWOLFSSL_USER_SETTINGS -I$(DEPS_DIR)/wolfssl -I$(DEPS_SRC)/wolfssl
ifeq ($(ARCH),x86_64)
WOLF_S := $(addprefix wolfcrypt/src/,aes_asm.S aes_gcm_asm.S chacha_asm.S fe_x25519_asm.S \
  poly1305_asm.S sha256_asm.S sha512_asm.S)
# sp_x86_64_asm.S goes through a filter first, see vzeroupper.awk.
WOLF_SP := $(DEPS_OBJ)/wolfssl/sp_x86_64_asm.S
# wolfSSL 5.7.2 (tier 1) assembles some files without reading user_settings.h.
WOLF_D += -DWOLFSSL_X86_64_BUILD -DHAVE_AESGCM -maes -mpclmul
endif

# tls13.c goes through a filter first, see tls13.awk.
WOLF_TLS13 := $(DEPS_OBJ)/wolfssl/tls13.c

# mdb.c goes through a filter first, see mdb.awk.
LMDB_C := libraries/liblmdb/midl.c
LMDB_M := $(DEPS_OBJ)/lmdb/mdb.c
LMDB_D := -DMDB_USE_ROBUST=1 -I$(DEPS_SRC)/lmdb/libraries/liblmdb

# Argon2 with one lane never starts a thread; opt.c is the SSE variant of ref.c.
ARGON2_C := $(addprefix src/,argon2.c core.c encoding.c blake2/blake2b.c $(if $(filter x86_64,$(ARCH)),opt.c,ref.c))
ARGON2_D := -DARGON2_NO_THREADS -I$(DEPS_SRC)/argon2/include -I$(DEPS_SRC)/argon2/src

SIMDJSON_D := $(if $(filter x86_64,$(ARCH)),-DSIMDJSON_IMPLEMENTATION_PPC64=0 -DSIMDJSON_IMPLEMENTATION_ARM64=0)

# ---- rules -------------------------------------------------------------------
DEPS_FLAGS := $(DEPS_OUT)/.flags
$(call remember,$(DEPS_FLAGS),$(CC) $(CXX) $(subst $(CURDIR),,$(DEPS_COMMON)) $(FOR_LTO))

dep_objects = $(patsubst %,$(DEPS_OBJ)/$(1)/%.o,$(2))
UV_O := $(call dep_objects,libuv,$(UV_C))
LLHTTP_O := $(call dep_objects,llhttp,$(LLHTTP_C))
NGHTTP2_O := $(call dep_objects,nghttp2,$(NGHTTP2_C))
WOLF_O := $(call dep_objects,wolfssl,$(WOLF_C) $(WOLF_S))
WOLF_SP_O := $(WOLF_SP:.S=.o)
WOLF_TLS13_O := $(WOLF_TLS13:.c=.o)
LMDB_O := $(call dep_objects,lmdb,$(LMDB_C))
LMDB_MO := $(LMDB_M:.c=.o)
ARGON2_O := $(call dep_objects,argon2,$(ARGON2_C))
SIMDJSON_O := $(DEPS_OBJ)/simdjson/simdjson.o
CATCH2_O := $(DEPS_OBJ)/catch2/catch2.o
HDR_O := $(DEPS_OBJ)/hdrhistogram/hdr_histogram.o

# One short line per file, or with V=1 the command.
define DEP_C
$(if $(V),,@echo "  DEP $(@:$(DEPS_OBJ)/%.o=%)";) mkdir -p $(@D) && $(CC) $(DEPS_CFLAGS) $(1) -c $< -o $@
endef
define DEP_CXX
$(if $(V),,@echo "  DEP $(@:$(DEPS_OBJ)/%.o=%)";) mkdir -p $(@D) && $(CXX) $(DEPS_CXXFLAGS) $(1) -c $< -o $@
endef

# A pinned source, changed by the script behind it.
FILTER = @mkdir -p $(@D) && awk -f $(word 2,$^) $< >$@.tmp && mv $@.tmp $@

$(UV_O):      $(DEPS_OBJ)/libuv/%.o:   $(DEPS_SRC)/libuv/%   $(DEPS_FLAGS) ; $(call DEP_C,$(UV_D) $(FOR_LTO))
$(LLHTTP_O):  $(DEPS_OBJ)/llhttp/%.o:  $(DEPS_SRC)/llhttp/%  $(DEPS_FLAGS) ; $(call DEP_C,-O3 -I$(LLHTTP_INC) $(FOR_LTO))
$(NGHTTP2_O): $(DEPS_OBJ)/nghttp2/%.o: $(DEPS_SRC)/nghttp2/% $(DEPS_FLAGS) $(DEPS_OBJ)/nghttp2/includes/nghttp2/nghttp2ver.h ; $(call DEP_C,$(NGHTTP2_D) $(FOR_LTO))
$(WOLF_O):    $(DEPS_OBJ)/wolfssl/%.o: $(DEPS_SRC)/wolfssl/% $(DEPS_FLAGS) $(DEPS_DIR)/wolfssl/user_settings.h ; $(call DEP_C,$(WOLF_D))
$(LMDB_O):    $(DEPS_OBJ)/lmdb/%.o:    $(DEPS_SRC)/lmdb/%    $(DEPS_FLAGS) ; $(call DEP_C,$(LMDB_D) $(FOR_LTO))
$(ARGON2_O):  $(DEPS_OBJ)/argon2/%.o:  $(DEPS_SRC)/argon2/%  $(DEPS_FLAGS) ; $(call DEP_C,-O3 $(ARGON2_D))
$(HDR_O): $(DEPS_SRC)/hdrhistogram/src/hdr_histogram.c $(DEPS_FLAGS) | $(FETCHED_BENCH) ; $(call DEP_C,-I$(DEPS_SRC)/hdrhistogram/include)
ifneq ($(WOLF_SP),)
$(WOLF_SP): $(DEPS_SRC)/wolfssl/wolfcrypt/src/sp_x86_64_asm.S $(DEPS_DIR)/wolfssl/vzeroupper.awk ; $(FILTER)
$(WOLF_SP_O): $(WOLF_SP) $(DEPS_FLAGS) $(DEPS_DIR)/wolfssl/user_settings.h ; $(call DEP_C,$(WOLF_D))
endif
$(WOLF_TLS13): $(DEPS_SRC)/wolfssl/src/tls13.c $(DEPS_DIR)/wolfssl/tls13.awk ; $(FILTER)
$(WOLF_TLS13_O): $(WOLF_TLS13) $(DEPS_FLAGS) $(DEPS_DIR)/wolfssl/user_settings.h ; $(call DEP_C,$(WOLF_D))
$(LMDB_M): $(DEPS_SRC)/lmdb/libraries/liblmdb/mdb.c $(DEPS_DIR)/lmdb/mdb.awk ; $(FILTER)
$(LMDB_MO): $(LMDB_M) $(DEPS_FLAGS) ; $(call DEP_C,$(LMDB_D) $(FOR_LTO))

$(DEPS_OBJ)/nghttp2/includes/nghttp2/nghttp2ver.h: $(DEPS_SRC)/nghttp2/lib/includes/nghttp2/nghttp2ver.h.in
	@mkdir -p $(@D) && v=$$(sed -n 's/^AC_INIT(\[nghttp2\], \[\([0-9.]*\).*/\1/p' $(DEPS_SRC)/nghttp2/configure.ac) && \
	  set -- $$(echo $$v | tr . ' ') && sed "s/@PACKAGE_VERSION@/$$v/; s/@PACKAGE_VERSION_NUM@/$$(printf '0x%02x%02x%02x' $$1 $$2 $$3)/" $< >$@

$(SIMDJSON_O): $(DEPS_SRC)/simdjson/singleheader/simdjson.cpp $(DEPS_FLAGS) ; $(call DEP_CXX,-O3 $(SIMDJSON_D))
# One translation unit.
$(MIMALLOC_O): $(DEPS_SRC)/mimalloc/src/static.c $(DEPS_FLAGS)
	$(call DEP_C,-fvisibility=hidden -fno-builtin-malloc -ftls-model=initial-exec -DMI_MALLOC_OVERRIDE \
	  -DMI_STATIC_LIB -U_FORTIFY_SOURCE -I$(DEPS_SRC)/mimalloc/include -I$(DEPS_SRC)/mimalloc/src)
$(CATCH2_O): $(DEPS_SRC)/catch2/extras/catch_amalgamated.cpp $(DEPS_FLAGS) ; $(call DEP_CXX,-O1)

define lib
$(DEPS_LIB)/lib$(1).a: $(2) ; @rm -f $$@; mkdir -p $(DEPS_LIB); $(AR) rcsD $$@ $$^
endef
$(eval $(call lib,uv,$(UV_O)))
$(eval $(call lib,llhttp,$(LLHTTP_O)))
$(eval $(call lib,nghttp2,$(NGHTTP2_O)))
$(eval $(call lib,wolfssl,$(WOLF_O) $(WOLF_TLS13_O) $(WOLF_SP_O)))
$(eval $(call lib,argon2,$(ARGON2_O)))
$(eval $(call lib,lmdb,$(LMDB_O) $(LMDB_MO)))
$(eval $(call lib,simdjson,$(SIMDJSON_O)))
$(eval $(call lib,catch2,$(CATCH2_O)))
$(eval $(call lib,hdrhistogram,$(HDR_O)))

# wolfCrypt's own known-answer tests against exactly the library we link (0.2 s).
$(DEPS_OUT)/wolfcrypt-test: $(DEPS_SRC)/wolfssl/wolfcrypt/test/test.c $(DEPS_LIB)/libwolfssl.a
	$(Q)$(CC) $(ARCH_FLAGS) -O1 -w -pthread $(WOLF_D) -DUSE_CERT_BUFFERS_2048 -DUSE_CERT_BUFFERS_256 $< $(DEPS_LIB)/libwolfssl.a -lm -o $@

.PHONY: deps deps-selftest deps-bundle deps-check
deps: $(DEPS_LIBS) $(MIMALLOC_O) $(DEPS_READY) ## build the third-party libraries only
deps-selftest: $(DEPS_OUT)/wolfcrypt-test
	@cd $(DEPS_SRC)/wolfssl && $(abspath $<) >$(abspath $(DEPS_OUT))/selftest.log || { tail -5 $(abspath $(DEPS_OUT))/selftest.log; false; }
deps-bundle: | packages ## one tar with every pinned source, for offline builds and for a release
	$(Q)$(DEPS_DIR)/fetch.sh -o $(DEPS_OUT) --bundle $(DEPS_OUT)/deps-bundle.tar
deps-check: | packages ## ask the archive whether it still serves every pin
	$(Q)$(DEPS_DIR)/fetch.sh -o $(DEPS_OUT) --check
