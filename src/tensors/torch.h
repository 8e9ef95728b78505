// All that this layer takes of libtorch; its precompiled header. Include it in .cpp files and in
// the few headers whose functions take tensors, which only this layer's .cpp files and tests
// include.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/grad_mode.h>
#include <torch/types.h>
