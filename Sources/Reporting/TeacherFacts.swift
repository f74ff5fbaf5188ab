/// What a report says about the cache that a run read.
package struct CacheFacts: Codable, Sendable {
  /// The first 16 digits of the fingerprint.
  package var id: String
  package var teacher: String  // architecture
  package var teacherWeights: String  // hash
  package var codec: String
  package var views: [String: Int]
  package var records: Int
  package var bytes: Int
  /// File bytes for one view's logits.
  package var bytesPerView: Double
  /// L1 error of the gradient of T²·KL at every temperature, at most.
  package var errorBound: Double
  /// What it was at most, of the views that were measured when they were coded; nil without any.
  package var errorMeasured: Double?

  package init(
    id: String, teacher: String, teacherWeights: String, codec: String, views: [String: Int],
    records: Int, bytes: Int, bytesPerView: Double, errorBound: Double, errorMeasured: Double?
  ) {
    self.id = id
    self.teacher = teacher
    self.teacherWeights = teacherWeights
    self.codec = codec
    self.views = views
    self.records = records
    self.bytes = bytes
    self.bytesPerView = bytesPerView
    self.errorBound = errorBound
    self.errorMeasured = errorMeasured
  }
}

/// What the teacher's work comes to beside a student's training, measured when the run ended.
package struct TeacherCost: Codable, Sendable {
  /// Whether the teacher ran beside the student in this run.
  package var isLive: Bool
  /// A forward pass of one view.
  package var teacherSeconds: Double
  package var studentSeconds: Double
  /// Views that this run compared with the teacher.
  package var views: Int
  /// Views whose logits the cache holds; nil without one.
  package var storedViews: Int?
  /// Of all epochs of this run.
  package var trainingSeconds: Double

  package init(
    isLive: Bool, teacherSeconds: Double, studentSeconds: Double, views: Int, storedViews: Int?,
    trainingSeconds: Double
  ) {
    self.isLive = isLive
    self.teacherSeconds = teacherSeconds
    self.studentSeconds = studentSeconds
    self.views = views
    self.storedViews = storedViews
    self.trainingSeconds = trainingSeconds
  }

  /// The teacher's work in a run that has it beside the student.
  package var teacherWork: Double { Double(views) * teacherSeconds }
  package var cachedSeconds: Double {
    isLive ? max(trainingSeconds - teacherWork, 0) : trainingSeconds
  }
  package var liveSeconds: Double { isLive ? trainingSeconds : trainingSeconds + teacherWork }
  /// The teacher's work behind the cache.
  package var dumpSeconds: Double? { storedViews.map { Double($0) * teacherSeconds } }
  /// From how many students like this one on the teacher has worked less with the cache.
  package var breakEvenStudents: Int? {
    storedViews.map { views == 0 ? 1 : max(1, ($0 + views - 1) / views) }
  }
}
