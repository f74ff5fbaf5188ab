package import Tensors

/// The channels in another order, so that the groups of the next convolution meet (arXiv
/// 1707.01083): c of group k becomes c · groups + k.
package final class ChannelShuffle: Layer {
  let groups: Int

  package init(groups: Int) {
    precondition(groups > 1, "a shuffle needs two groups or more, not \(groups)")
    self.groups = groups
  }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    shuffled(x, groups: groups, on: execution)
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    let channels = gradient.shape[gradient.shape.count - 1]
    return shuffled(gradient, groups: channels / groups, on: execution)
  }
}
