import ArgumentParser

/// Filling a cache while a student trains from it.
package struct WriteThroughOptions: ParsableArguments {
  @Flag(
    help: ArgumentHelp(
      "With --teacher and --cache: evaluate what the cache lacks when it is needed, store it, and "
        + "train on what is stored."))
  var writeThrough = false
  @OptionGroup var codec: CodecOptions

  package init() {}
}
