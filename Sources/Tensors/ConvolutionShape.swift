/// What a convolution does to shapes, and how its weights lie for the kernels.
///
/// Kernel layout: [group][out/16][tap][in][16], output channels padded with zeros to blocks of 16,
/// taps row by row; depthwise weights: [tap][channel].
package struct ConvolutionShape: Hashable, Sendable {
  package let inputs: Int
  package let outputs: Int
  package let kernel: Int
  package let strides: Int
  package let padding: Int
  package let groups: Int

  package init(
    inputs: Int, outputs: Int, kernel: Int, strides: Int = 1, padding: Int = 0, groups: Int = 1
  ) {
    precondition(
      inputs > 0 && outputs > 0 && kernel > 0 && strides > 0 && padding >= 0 && groups > 0,
      "a convolution \(inputs)→\(outputs), kernel \(kernel), strides \(strides), padding "
        + "\(padding), groups \(groups) has no meaning")
    precondition(
      inputs % groups == 0 && outputs % groups == 0,
      "\(groups) groups divide neither \(inputs) inputs nor \(outputs) outputs evenly")
    self.inputs = inputs
    self.outputs = outputs
    self.kernel = kernel
    self.strides = strides
    self.padding = padding
    self.groups = groups
  }

  static let lanes = 16

  /// Of an input of this height or width; 0 where the kernel does not fit.
  package func outputSize(_ size: Int) -> Int {
    size + 2 * padding < kernel ? 0 : (size + 2 * padding - kernel) / strides + 1
  }

  /// Whether every channel has a kernel of its own.
  package var isDepthwise: Bool { groups > 1 && groups == inputs && inputs == outputs }
  /// Whether pixels do not meet, so that images need no borders.
  var isPointwise: Bool { kernel == 1 && strides == 1 && padding == 0 }
  var taps: Int { kernel * kernel }
  var groupInputs: Int { inputs / groups }
  var groupOutputs: Int { outputs / groups }
  /// Blocks of 16 output channels in a group.
  var groupBlocks: Int { blocks(groupOutputs) }
  var blockCount: Int { taps * groupInputs * ConvolutionShape.lanes }
  var groupCount: Int { groupBlocks * blockCount }

  /// The number of floats in kernel layout.
  package var weightCount: Int { isDepthwise ? taps * inputs : groups * groupCount }

  /// Where the state-dict element [output][input of its group][tap] lies in kernel layout.
  package func weightIndex(output: Int, input: Int, tap: Int) -> Int {
    if isDepthwise { return tap * outputs + output }
    let (group, o) = output.quotientAndRemainder(dividingBy: groupOutputs)
    let (block, lane) = o.quotientAndRemainder(dividingBy: ConvolutionShape.lanes)
    return group * groupCount + block * blockCount
      + (tap * groupInputs + input) * ConvolutionShape.lanes + lane
  }
}

/// How many blocks of 16 hold `channels`.
func blocks(_ channels: Int) -> Int {
  (channels + ConvolutionShape.lanes - 1) / ConvolutionShape.lanes
}

/// The size of a per-channel array for the kernels, which read it in whole blocks of 16 and, in a
/// grouped convolution, from any channel on.
package func padded(_ channels: Int) -> Int { (blocks(channels) + 1) * ConvolutionShape.lanes }
